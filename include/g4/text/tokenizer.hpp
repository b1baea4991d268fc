// Text to token ids and back, as Gemma 4's tokenizer.json says.
// Source: tokenizers v0.21 for every order that can be seen in the ids (BPE::merge_word,
// AddedVocabulary::extract_and_normalize, ByteFallback::decode_chain); docs/chat.md for pieces.
#pragma once
#include "g4/core/error.hpp"
#include "g4/text/added_tokens.hpp"
#include "g4/text/bpe.hpp"
#include "g4/text/chat.hpp"
#include "g4/text/tokenizer_json.hpp"
#include "g4/text/utf8.hpp"
#include "g4/text/vocabulary.hpp"
#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4 {

/// What becomes of text that spells a special token: its id, or the ids of plain text.
enum class special_tokens { recognised, as_text };

/// An immutable tokenizer; safe to use from many threads at once.
class tokenizer {
  public:
    /// Errors: input_error with key, expected, got and file for anything but Gemma 4's form.
    /// Cost: 0.3 s for 262,144 entries and 514,906 merges.
    static tokenizer load(const std::filesystem::path& tokenizer_json) {
        return tokenizer{read_tokenizer_json(tokenizer_json)};
    }

    explicit tokenizer(tokenizer_tables from);

    /// The ids of a text, without <bos>. A character that has no entry, and a byte that belongs to
    /// no character (the text may be any bytes), become the <0xHH> entries of their bytes.
    /// Cost: linear in the text for prose; n log n in the longest stretch whose neighbours all
    /// stand next to one another in some entry.
    std::vector<std::int32_t> encode(std::string_view text,
                                     special_tokens specials = special_tokens::recognised) const;

    /// The ids of the joined text; special tokens are recognised only where they lie in markup.
    /// Plain BPE does not see the borders between pieces.
    std::vector<std::int32_t> encode(std::span<const text_piece> pieces) const;

    /// The text of the ids. A run of <0xHH> that is not well-formed UTF-8 from end to end becomes
    /// one U+FFFD a byte; ids outside the vocabulary have no text (both as in tokenizers).
    std::string decode(std::span<const std::int32_t> ids, bool skip_special = true) const;

    /// The bytes that one token stands for: spaces restored, <0xHH> as its byte.
    /// Errors: input_error for an id outside the vocabulary.
    std::string token_bytes(std::int32_t id) const;

    /// The entry that is spelt exactly so, special or not, e.g. "<bos>".
    std::optional<std::int32_t> id_of(std::string_view token) const { return entries.find(token); }

    bool is_special(std::int32_t id) const {
        return entries.holds(id) && special[static_cast<std::size_t>(id)];
    }

    std::int32_t size() const { return entries.size(); }

  private:
    friend class detokenizer;

    // 2^21 bits for some 300,000 pairs: a pair wrongly taken for a seam costs time, never ids
    static constexpr int seam_bits = 21;
    static constexpr char32_t written_space = 0x2581;
    static constexpr char32_t no_character = 0xFFFFFFFF;

    /// What encode_plain carries from character to character.
    struct encoding {
        std::vector<std::int32_t> word;   // symbols that may still merge
        std::vector<merge_result> pairs;  // scratch of merge_word
        bool unknown_pending = false;
    };

    static std::int16_t byte_of_entry(std::string_view entry);

    static std::size_t seam_bit(char32_t left, char32_t right) {
        const std::uint64_t both = std::uint64_t{left} << 32 | right;
        return static_cast<std::size_t>(both * 0x9E3779B97F4A7C15u >> (64 - seam_bits));
    }
    bool may_merge(char32_t left, char32_t right) const {
        const std::size_t bit = seam_bit(left, right);
        return seams[bit / 64] >> bit % 64 & 1;
    }

    void describe_entries(const std::vector<added_token>& added);
    void mark_seams(std::span<const merge_seam> of_merges);
    void encode_range(std::string_view text, const added_token_finder& finder,
                      std::vector<std::int32_t>& ids) const;
    void encode_plain(std::string_view text, std::vector<std::int32_t>& ids) const;
    void push_character(std::string_view bytes, char32_t value, encoding& state) const;
    void speak(std::int32_t id, bool skip_special, std::string& run, std::string& text) const;
    static void end_run(std::string& run, std::string& text);

    vocabulary entries;                      // as in the file
    text_list spoken;                        // by id: what decode writes, spaces restored
    std::vector<std::int16_t> spoken_byte;   // by id: the byte of a <0xHH> entry, else -1
    std::vector<bool> special;               // by id
    std::vector<std::int32_t> by_character;  // code point to entry; -1: none
    std::array<std::int32_t, 256> by_byte;   // to <0xHH> entry; -1: none
    std::vector<std::uint64_t> seams;        // filter: characters that meet where something merges
    merge_table merges;
    added_token_finder added_tokens, plain_added_tokens;  // all of them; those not special
    std::int32_t unknown;
};

inline tokenizer::tokenizer(tokenizer_tables from)
    : entries{std::move(from.entries)},
      seams((std::size_t{1} << seam_bits) / 64),
      merges{std::move(from.merges)},
      unknown{from.unknown} {
    describe_entries(from.added);
    mark_seams(from.seams);
}

inline void tokenizer::describe_entries(const std::vector<added_token>& added) {
    special.resize(static_cast<std::size_t>(size()));
    for (const added_token& token : added) {
        special[static_cast<std::size_t>(token.id)] = token.special;
        added_tokens.insert(entries.text(token.id), token.id);
        if (!token.special) plain_added_tokens.insert(entries.text(token.id), token.id);
    }
    by_byte.fill(-1);
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (std::size_t byte = 0; byte < 256; ++byte)
        if (const auto id = entries.find(concat("<0x", digits[byte / 16], digits[byte % 16], '>')))
            by_byte[byte] = *id;
    std::string text;
    for (std::int32_t id = 0; id < size(); ++id) {
        const std::string_view entry = entries.text(id);
        const utf8_character first = read_utf8(entry, 0);
        if (first.bytes == entry.size() && !is_special(id)) {
            if (first.value >= by_character.size()) by_character.resize(first.value + 1, -1);
            by_character[first.value] = id;
        }
        constexpr std::string_view space = "\u2581";
        text.clear();
        for (std::size_t at = 0; at < entry.size();) {
            const bool is_space = entry.substr(at).starts_with(space);
            text += is_space ? ' ' : entry[at];
            at += is_space ? space.size() : 1;
        }
        spoken.push_back(text);
        spoken_byte.push_back(byte_of_entry(text));
    }
}

/// Where no merge has this pair of characters at its seam, BPE never joins across: the text can be
/// cut there, which keeps words short.
inline void tokenizer::mark_seams(std::span<const merge_seam> of_merges) {
    for (const auto& [left, right] : of_merges) {
        if (left == merge_seam::any) {  // the merge may join anything
            seams.assign(seams.size(), ~std::uint64_t{0});
            return;
        }
        const std::size_t bit = seam_bit(left, right);
        seams[bit / 64] |= std::uint64_t{1} << bit % 64;
    }
}

inline std::vector<std::int32_t> tokenizer::encode(std::string_view text,
                                                   special_tokens specials) const {
    std::vector<std::int32_t> ids;
    encode_range(text, specials == special_tokens::recognised ? added_tokens : plain_added_tokens,
                 ids);
    return ids;
}

inline void tokenizer::encode_range(std::string_view text, const added_token_finder& finder,
                                    std::vector<std::int32_t>& ids) const {
    for (std::size_t at = 0; at < text.size();) {
        const added_token_finder::match found = finder.next(text, at);
        encode_plain(text.substr(at, found.begin - at), ids);
        if (found.id >= 0) ids.push_back(found.id);
        at = found.end;
    }
}

inline std::vector<std::int32_t> tokenizer::encode(std::span<const text_piece> pieces) const {
    std::vector<std::int32_t> ids;
    std::string waiting;  // text since the last added token
    for (std::size_t i = 0; i < pieces.size();) {
        const bool markup = pieces[i].markup;
        const added_token_finder& finder = markup ? added_tokens : plain_added_tokens;
        std::string run;  // neighbours of one kind: a token may lie across their border
        for (; i < pieces.size() && pieces[i].markup == markup; ++i) run += pieces[i].text;
        for (std::size_t at = 0; at < run.size();) {
            const added_token_finder::match found = finder.next(run, at);
            waiting.append(run, at, found.begin - at);
            at = found.end;
            if (found.id < 0) continue;
            encode_plain(waiting, ids);
            waiting.clear();
            ids.push_back(found.id);
        }
    }
    encode_plain(waiting, ids);
    return ids;
}

inline void tokenizer::encode_plain(std::string_view text, std::vector<std::int32_t>& ids) const {
    encoding state;
    const auto end_word = [&] {
        merge_word(merges, state.word, state.pairs);
        ids.insert(ids.end(), state.word.begin(), state.word.end());
        state.word.clear();
    };
    char32_t previous = no_character;
    for (std::size_t at = 0; at < text.size();) {
        const utf8_character next = read_utf8(text, at);
        const char32_t value = !next.valid          ? no_character
                               : next.value == U' ' ? written_space
                                                    : next.value;
        if (!may_merge(previous, value)) end_word();
        push_character(text.substr(at, next.bytes), value, state);
        previous = value;
        at += next.bytes;
    }
    if (state.unknown_pending) state.word.push_back(unknown);
    end_word();
}

/// Unknown characters in a row are one <unk>, written when the next entry comes; characters that
/// fall back to bytes do not end the row (as in tokenizers).
inline void tokenizer::push_character(std::string_view bytes, char32_t value,
                                      encoding& state) const {
    if (value < by_character.size() && by_character[value] >= 0) {
        if (state.unknown_pending) state.word.push_back(unknown);
        state.unknown_pending = false;
        state.word.push_back(by_character[value]);
        return;
    }
    if (value == written_space) bytes = "\u2581";
    const auto entry_of = [&](char byte) { return by_byte[static_cast<unsigned char>(byte)]; };
    for (const char byte : bytes)
        if (entry_of(byte) < 0) {
            state.unknown_pending = true;
            return;
        }
    for (const char byte : bytes) state.word.push_back(entry_of(byte));
}

inline std::string tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
    std::string text, run;
    for (const std::int32_t id : ids) speak(id, skip_special, run, text);
    end_run(run, text);
    return text;
}

/// Appends to `text` what is final after `id`. Bytes wait in `run` for the end of their run: only
/// there is it known whether they are characters.
inline void tokenizer::speak(std::int32_t id, bool skip_special, std::string& run,
                             std::string& text) const {
    if (!entries.holds(id) || (skip_special && is_special(id))) return;
    const int byte = spoken_byte[static_cast<std::size_t>(id)];
    if (byte >= 0) {
        run += static_cast<char>(byte);
        return;
    }
    end_run(run, text);
    text += spoken[id];
}

inline void tokenizer::end_run(std::string& run, std::string& text) {
    if (is_utf8(run)) text += run;
    else
        for (std::size_t i = 0; i < run.size(); ++i) text += "\uFFFD";
    run.clear();
}

inline std::string tokenizer::token_bytes(std::int32_t id) const {
    if (!entries.holds(id))
        throw input_error{"tokenizer: expected a token id from 0 to ", size() - 1, ", got ", id};
    const int byte = spoken_byte[static_cast<std::size_t>(id)];
    return byte >= 0 ? std::string(1, static_cast<char>(byte)) : std::string{spoken[id]};
}

/// The byte that an entry such as <0x0A> stands for, -1 for any other.
inline std::int16_t tokenizer::byte_of_entry(std::string_view entry) {
    if (entry.size() != 6 || !entry.starts_with("<0x") || entry[5] != '>') return -1;
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(&entry[3], &entry[5], byte, 16);
    return error == std::errc{} && end == &entry[5] ? static_cast<std::int16_t>(byte) : -1;
}

}  // namespace g4
