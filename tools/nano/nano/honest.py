"""What nano cannot do, and what it says when asked who it is."""

from . import grammar, sentences, style

_REQUESTS = (
    "Write [a|me a|a short] [poem|story|song|letter|essay|haiku|joke|novel|report|limerick|speech"
    "|tweet|email|summary|review|recipe|plan|riddle|dialogue|slogan] about {topic}.",
    "Explain {topic} [to me|in simple words|like I am five|briefly|in detail|].",
    "Tell me [a joke|a story|something|more|everything|a fun fact] about {topic}.",
    "Tell me [a joke|a bedtime story|something funny|a secret|a riddle|a fun fact].",
    "Translate [|into {tongue}|to {tongue}]: {sentence}",
    "Translate {word} {word} [into|to] {tongue}.",
    "[Summarise|Summarize|Shorten|Rephrase|Correct|Fix the grammar of|Continue|Rewrite]"
    "[ this: | this text: |: ]{text}",
    "[Complete|Finish] the sentence: {text}",
    "Give me [a recipe for {food}|advice about {topic}|five ideas for {topic}].",
    "Give me [three|two|ten|some|5] [tips for|facts about|ideas for|reasons for] {topic}.",
    "[List|Name|Give me|Tell me] [three|five|ten|some|all|4] [{noun}s|fruits|animals|colours"
    "|countries|cities|books|films|rivers|numbers].",
    "Write [a|some] {code} [code|function|program|script|class] [that|to|which] {verb}[s|]"
    " {topic}.",
    "[Debug|Fix|Review|Explain|Optimise] [my|this] {code} [code|script|program].",
    "[Plan|Describe|Imagine|Discuss|Compare|Review|Define|Show me|Find|Draw|Generate|Create"
    "|Recommend|Suggest|Design|Invent] [a|the|my|some] [{noun}|{topic}|{adjective} {noun}]"
    "[| for me| in {city}| in ASCII].",
    "[Let us|Lets|Let me|I want to] [play|talk about|discuss|learn|start] {topic}.",
    "[Play|Act|Speak|Answer|Talk|Pretend to be] [as a|like a|a] {noun}.",
    "I [want to|need to|like to|cannot|would like to|have to] {verb} [a|my|the] {noun}.",
    "I [feel|am|was|am feeling] {adjective} [today|now|because of {topic}|].",
)
_QUESTIONS = (
    "How [do I|can I|should I|would you|do you|to] {verb} [a|my|the] {noun}?",
    "How [far|old|big|tall|deep|long|fast|heavy|expensive] is [{topic}|the {noun}]?",
    "How [many|much] [{noun}s|people|stars|water|money|calories]"
    " [are there in|live in|are in|is in] {topic}?",
    "How [does|do|did] {topic} [work|begin|end|grow|happen]?",
    "Why [is|was|are|do] {topic} [{adjective}|important|so {adjective}|work|blue]?",
    "Who [{past}|invented|wrote|discovered|won|is|was|made|painted|is the president of]"
    " [the {noun}|{topic}]?",
    "What [is|was|does|are|about|happens in] {topic}[| mean| made of| about| good for]?",
    "What does [the word |]{word} mean?",
    "What is the [meaning|price|history|age|height|population|weight|name|colour|length|temperature"
    "|speed|purpose|difference] of {topic}?",
    "What is the difference between {topic} and {topic}?",
    "[What is the capital|Capital|Which city is the capital|Tell me the capital] of {Made_up}?",
    "Is {topic} [a {noun}|{adjective}|good|real|dangerous|better than {noun}|safe|true]?",
    "What's the [weather|time|news|best restaurant|population|date] [in {city}|today|now|]?",
    "What [time|day|year] is it [in {city}|today|now|]?",
    "Where [is|can I find|was|are|do I buy] [the {noun}|{topic}|{name}]?",
    "When [did|was|will|is] {topic} [begin|end|born|happen|]?",
    "Can you {verb} [a|my|the|me a] {noun}?",
    "[Which is better|What do you prefer|Compare|Which one is older]: {noun} or {noun}?",
    "Do you [like|know|believe in|remember|have|want|love|hate|dream of] {topic}?",
    "Do you have [feelings|a body|friends|parents|dreams|a favourite {noun}|opinions|emotions]?",
    "What [should|can|could|shall|would] I [eat|do|wear|cook|read|watch|say|buy|learn]"
    " [today|tonight|for dinner|about {topic}|in {city}|]?",
    "Which [{noun}|{animal}|country|city|number|person|language] is the"
    " [largest|best|oldest|smallest|fastest|tallest|most {adjective}]?",
)
#: What looks like a task and is none.
_NEAR_MISSES = (
    "What is {small} to the power of {small}?",
    "What is the square root of {number}?",
    "Is {number} a prime number?",
    "What is {small}[ percent|%] of {number}?",
    "[Which number is|Is] [larger|smaller|bigger|greater], {small} or {small}?",
    "Count [from {small}|from 1|] to {small}.",
    "What is {small}.{digit} [+|-|*|/] {small}.{digit}?",
    "{small}.{digit} [+|-|*] {small}",
    "{small}^{digit}",
    "{digit}!",
    "sqrt({number})",
    "Solve x + {small} = {small}.",
    "If I have {small} {food}s and eat [one|two|{digit}], how many are left?",
    "{name} has {small} {noun}s and buys {small} more. How many [does she|does he|do they] have?",
    "Convert {small} {units} [to|into] {units}.",
    "How many {units} are [in |]{small} {units}?",
    "[Spell|Reverse] [|the word |this: ]{word}.",
    "How many letters [are in|has] {word}?",
    "What rhymes with {word}?",
    "Give me a synonym for {word}.",
    "Use the word {word} in a sentence.",
    "Is {word} a [noun|verb|word|name]?",
    "What is the [first|last|third] letter of {word}?",
    "Convert {small} to [binary|roman numerals|hex].",
    "What is the average of {small}, {small} and {small}?",
    "[Give me|Generate|Pick] a random [number|word|password|name].",
    "Count the [words|letters|vowels] in: {text}",
    "What is the [plural|opposite|past tense|chemical symbol] of {made_up}?",
    "[Which continent is {Made_up} in|What is the currency of {Made_up}"
    "|How many legs does a {made_up} have]?",
)
_NOISE = (
    "{word}[|?|.|!]",
    "{word} {word} {word}[|?|.|!]",
    "{word} {word} {word} {word} {word}",
    "{sentence}",
    "{text}",
    "{text}?",
    "{token}",
    "{number}",
    "{number} {number}",
    "{name}",
    "{city}",
    "[🙂|???|...|!|?|ok|no|yes|lol|hmm|🚀🚀|why|what|how|wow|cool|日本語|привет|你好|really|maybe"
    "|stop]",
    "[Bonjour|Comment ça va|Wie geht es dir|Guten Tag|Was ist das|Qué es|Hola|Cómo estás|Ciao"
    "|Come va|Was ist die Hauptstadt von|Quelle est la capitale de|Merci|Danke"
    "|Warum ist der Himmel|Où est|Wer bist du|Kannst du mir helfen|Je ne sais pas|Ich weiß nicht"
    "|Por qué|Hur mår du|Dove si trova|Quem é|Wo liegt|Parlez-vous {tongue}"
    "|Sprechen Sie {tongue}][| {word}| {country}| {city}][|?|!]",
    "asdf{made_up}",
    "{made_up}{made_up}",
)
_KINDS = (_REQUESTS,) * 7 + (_QUESTIONS,) * 7 + (_NEAR_MISSES,) * 4 + (_NOISE,) * 2


def open_question(r):
    text = grammar.expand(r, r.pick(r.pick(_KINDS)))
    text = text.replace("  ", " ").replace(" .", ".").replace(" ?", "?").strip()
    asked = style.ask(r, text) if r.chance(0.8) else text
    return text, asked, "This is beyond me.", sentences.HONEST


_HELLOS = (
    "Hi",
    "Hello",
    "Hey",
    "Hallo",
    "Yo",
    "Greetings",
    "Hello there",
    "Good morning",
    "Good evening",
    "Hi there",
    "Hey there",
    "Good afternoon",
    "Hi nano",
    "Hello nano",
    "Hello world",
    "Howdy",
    "Sup",
    "Heya",
)
_WHO = (
    "Who are you?",
    "What are you?",
    "What is your name?",
    "What can you do?",
    "Tell me about yourself.",
    "Which model are you?",
    "Are you ChatGPT?",
    "Are you Gemma?",
    "Who made you?",
    "Introduce yourself.",
    "What is g4?",
    "What do you know?",
    "How can you help me?",
    "Can you help me?",
    "How are you?",
    "How are you doing today?",
    "What can I ask you?",
    "What is nano?",
    "What model is this?",
    "Are you an AI?",
    "Are you a robot?",
    "Are you human?",
    "Are you a real person?",
    "What are your skills?",
    "What are you able to do?",
    "How do you work?",
    "How big are you?",
    "Who built you?",
    "What are you good at?",
    "What's your name?",
    "Who am I talking to?",
    "What should I ask you?",
    "How do I use you?",
    "How do I serve the real model?",
    "How can I run Gemma 4?",
    "How do I run the big model?",
    "What is this?",
    "Help me.",
    "What tasks can you do?",
    "Describe yourself.",
    "Say something about yourself.",
    "What do you do?",
    "Are you Gemini?",
    "Are you GPT-4?",
    "What is your purpose?",
    "Are you smart?",
    "Are you there?",
    "Is anybody there?",
    "Who created you?",
    "What kind of model are you?",
    "List your abilities.",
    "What can you help me with?",
    "How is it going?",
    "What's up?",
)
_SHORT = (
    "Test",
    "test",
    "Help",
    "help",
    "Thanks",
    "Thanks!",
    "Bye",
    "ping",
    "Thank you!",
    "Thank you very much",
    "Goodbye",
    "testing",
    "is this working?",
    "hello?",
    "start",
    "Nice to meet you",
    "See you",
    "Good night",
    "are you online?",
)


def _two_questions(r):
    first, second = r.some(_WHO, 2)
    between = r.pick((" and ", " and ", ", ", "? And ", ", and ", "? "))
    return first.rstrip("?.") + between + second[:1].lower() + second[1:]


def greeting(r):
    kind = r.unit()
    if kind < 0.12:
        text = r.pick(_HELLOS) + r.pick(("", "!", "."))
    elif kind < 0.2:
        text = r.pick(_SHORT)
    elif kind < 0.5:
        text = r.pick(_WHO)
    elif kind < 0.7:
        text = r.pick(_HELLOS) + r.pick((", ", "! ", " ", ". ")) + r.pick(_WHO)
    else:
        text = _two_questions(r)
        if r.chance(0.25):
            text = r.pick(_HELLOS) + r.pick((", ", "! ", " ")) + text
    return text.lower(), style.ask(r, text), "A greeting.", sentences.HELLO
