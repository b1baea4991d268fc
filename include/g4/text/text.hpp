// Everything about text that another folder may use: tokenizer, streaming detokenizer, chat.
#pragma once
#include "g4/text/chat.hpp"
#include "g4/text/detokenizer.hpp"
#include "g4/text/tokenizer.hpp"
