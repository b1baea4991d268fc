"""Who answers, greedily: a folder through transformers, or a server with OpenAI's API."""

import concurrent.futures
import json
import urllib.error
import urllib.request

from . import score

_STOP = (1, 106, 50)
_LONGEST = 256
_MARKUP = 12  # tokens of markup around an answer and its thought
_TIMEOUT_S = 600


class Folder:
    """A checkpoint folder through transformers; packed linears are unpacked when it is read."""

    def __init__(self, path, batch=20, f32=False):
        import torch
        from transformers import AutoConfig, AutoTokenizer, Gemma4ForConditionalGeneration

        from . import folder

        self.torch, self.batch = torch, batch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        config = AutoConfig.from_pretrained(path)
        config.__dict__.pop("quantization_config", None)
        dtype = torch.float32 if f32 else torch.bfloat16
        tensors = {name: tensor.to(dtype) for name, tensor in folder.read(path).items()}
        self.model = Gemma4ForConditionalGeneration.from_pretrained(
            None, config=config, state_dict=tensors, dtype=dtype
        )
        self.model = self.model.to(self.device).eval()

    def _tokens(self, text):
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def _room(self, question):
        """Tokens that an answer may take: one that is longer than every right one is wrong."""
        if question.later or not question.right:
            return _LONGEST
        rights = (a.reasoning + a.content + "".join(a.calls) for a in question.right)
        return max(len(self._tokens(text)) for text in rights) + _MARKUP

    def _generate(self, prompts, room):
        torch, longest = self.torch, max(map(len, prompts))
        ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts], device=self.device)
        mask = torch.tensor(
            [[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=self.device
        )
        with torch.no_grad():
            out = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=room,
                do_sample=False,
                eos_token_id=list(_STOP),
                pad_token_id=0,
                top_k=None,
                top_p=None,
                temperature=None,
            )
        for row in out[:, longest:].tolist():
            end = next((at for at, token in enumerate(row) if token in _STOP), len(row))
            yield self.tokenizer.decode(row[:end], skip_special_tokens=False)

    def answer(self, asked):
        """asked: [Question] -> [Answer], in batches of about equal length."""
        texts = [
            self.tokenizer.apply_chat_template(
                q.turns,
                tools=q.tools,
                enable_thinking=q.thinking,
                add_generation_prompt=True,
                tokenize=False,
            )
            for q in asked
        ]
        prompts = [self._tokens(text) for text in texts]
        rooms = [self._room(question) for question in asked]
        answers = [None] * len(asked)
        order = sorted(range(len(asked)), key=lambda i: (len(prompts[i]) // 64, rooms[i]))
        for at in range(0, len(order), self.batch):
            part = order[at : at + self.batch]
            room = max(rooms[i] for i in part)
            for i, text in zip(part, self._generate([prompts[i] for i in part], room)):
                answers[i] = score.from_text(text, texts[i].endswith("<|channel>thought\n"))
        return answers


class Server:
    """An OpenAI-compatible URL, http://host:port/v1.

    endpoint  "chat": /v1/chat/completions for everything. "auto": questions with tools or thinking
              are rendered by /tokenize and sent to /v1/completions as token ids, so that what the
              model wrote is judged, not the server's parsers.
    """

    def __init__(self, url, model=None, concurrency=16, endpoint="auto"):
        self.url, self.concurrency, self.endpoint = url.rstrip("/"), concurrency, endpoint
        self.model = model or self._get("/models")["data"][0]["id"]

    def _open(self, request):
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise RuntimeError(
                f"{request.full_url}: expected 200, got {error.code}: {error.read().decode()}"
            ) from error

    def _get(self, path):
        return self._open(urllib.request.Request(self.url + path))

    def _post(self, url, **body):
        data = json.dumps({"model": self.model, **body}).encode()
        return self._open(urllib.request.Request(url, data, {"Content-Type": "application/json"}))

    def _chat(self, question):
        body = {"tools": question.tools} if question.tools else {}
        reply = self._post(
            self.url + "/chat/completions",
            messages=_wire(question.turns),
            temperature=0,
            max_tokens=_LONGEST,
            chat_template_kwargs={"enable_thinking": question.thinking},
            **body,
        )
        return score.from_message(reply["choices"][0]["message"])

    def _raw(self, question):
        body = {"tools": question.tools} if question.tools else {}
        ids = self._post(
            self.url.removesuffix("/v1") + "/tokenize",
            messages=_wire(question.turns),
            add_generation_prompt=True,
            chat_template_kwargs={"enable_thinking": question.thinking},
            **body,
        )["tokens"]
        reply = self._post(
            self.url + "/completions",
            prompt=ids,
            temperature=0,
            max_tokens=_LONGEST,
            skip_special_tokens=False,
        )
        in_thought = question.thinking and question.turns[-1]["role"] == "tool"
        return score.from_text(reply["choices"][0]["text"], in_thought)

    def _one(self, question):
        plain = not question.tools and not question.thinking
        return self._chat(question) if plain or self.endpoint == "chat" else self._raw(question)

    def answer(self, asked):
        with concurrent.futures.ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(self._one, asked))


def _wire(messages):
    """Messages as clients send them: the arguments of calls are JSON text."""
    out = []
    for message in messages:
        message = dict(message)
        if message.get("tool_calls"):
            message["tool_calls"] = [
                {
                    **call,
                    "function": {
                        **call["function"],
                        "arguments": json.dumps(call["function"]["arguments"]),
                    },
                }
                for call in message["tool_calls"]
            ]
        out.append(message)
    return out
