"""Messages in the form of the chat API."""


def user(text):
    return {"role": "user", "content": text}


def assistant(text, thought=None):
    return {"role": "assistant", "content": text, **({"reasoning": thought} if thought else {})}
