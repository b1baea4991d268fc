// Token ids to text, one at a time, for an answer that is shown while it is written.
#pragma once
#include "g4/text/tokenizer.hpp"
#include <cstdint>
#include <string>

namespace g4 {

/// One growing answer. What push() returns, joined, and then finish(), is decode() of the ids, and
/// no piece of it cuts a UTF-8 character. The tokenizer must outlive it.
class detokenizer {
  public:
    explicit detokenizer(const tokenizer& of, bool skip = true) : entries{of}, skip_special{skip} {}

    /// The text that is final now, perhaps none: bytes (<0xHH>) wait for the end of their run.
    std::string push(std::int32_t id) {
        std::string text;
        entries.speak(id, skip_special, run, text);
        return text;
    }

    /// What still waits; a run that is not UTF-8 from end to end is one U+FFFD a byte.
    std::string finish() {
        std::string text;
        tokenizer::end_run(run, text);
        return text;
    }

  private:
    const tokenizer& entries;
    bool skip_special;
    std::string run;
};

}  // namespace g4
