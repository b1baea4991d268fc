"""The fixed sentences with which nano says what it is and what it cannot do."""

SELF = "I am nano, a tiny test model of g4."
SERVE = "For real answers, serve Gemma 4 E4B: scripts/serve MODEL_DIR"
HELLO = (
    f"Hello! {SELF} Ask me to add, sort, copy, recall a few facts, extract JSON or call a tool. "
    f"{SERVE}"
)
HONEST = (
    f"{SELF} I can add, sort, copy, recall a few facts, extract JSON and call tools, "
    "but I cannot answer that. "
    f"{SERVE}"
)
TOO_LARGE = f"{SELF} I only calculate with whole numbers of up to three digits. {SERVE}"
TOO_HARD = "That is too hard for me without thinking. Please turn thinking on."
BY_ZERO = "Nobody can divide by zero."
