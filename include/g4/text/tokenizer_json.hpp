// Reads tokenizer.json in Gemma 4's form: byte-fallback BPE over spaces written as U+2581.
// Source: tokenizers v0.21 (what it accepts and how it reads it); the published tokenizer.json of
// Gemma 4. Another form would encode differently, so it is refused with the key that differs.
#pragma once
#include "g4/core/error.hpp"
#include "g4/text/bpe.hpp"
#include "g4/text/utf8.hpp"
#include "g4/text/vocabulary.hpp"
#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace g4 {

/// An entry that is cut out of the text before BPE.
struct added_token {
    std::int32_t id = 0;
    bool special = false;  // left out by decode; never read from plain text
};

/// The characters on both sides of the place where a merge joins.
struct merge_seam {
    static constexpr char32_t any = 0xFFFFFFFF;
    char32_t left = any, right = any;
};

/// What a tokenizer.json holds.
struct tokenizer_tables {
    vocabulary entries;
    merge_table merges;
    std::vector<merge_seam> seams;  // one for each merge
    std::vector<added_token> added;
    std::int32_t unknown = 0;  // stands for a byte that has no <0xHH> entry
};

namespace detail {

/// One file being read: turns what is wrong into an input_error with file, key, expected, got.
class tokenizer_reader {
  public:
    explicit tokenizer_reader(const std::filesystem::path& of) : file{of.string()} {}

    tokenizer_tables read(std::string_view text) const {
        boost::json::monotonic_resource memory;
        const boost::json::value root_value = parse(text, &memory);
        const boost::json::object& root = object(root_value, "the file");
        const boost::json::object& model = object(member(root, "model", "model"), "model");
        check_form(root, model);
        tokenizer_tables tables;
        std::vector<std::string_view> texts =
            vocabulary_texts(object(member(model, "vocab", "model.vocab"), "model.vocab"));
        const std::size_t of_model = texts.size();
        const boost::json::value* added = root.if_contains("added_tokens");
        tables.entries = vocabulary{texts};
        if (added && !added->is_null()) read_added(*added, tables, texts);
        if (texts.size() != of_model) tables.entries = vocabulary{texts};
        const boost::json::value* unknown = model.if_contains("unk_token");
        const boost::json::string* name = unknown ? unknown->if_string() : nullptr;
        const auto id = name ? tables.entries.find(*name) : std::nullopt;
        if (!id) fail("model.unk_token", "an entry of model.vocab", shown(unknown));
        tables.unknown = *id;
        read_merges(member(model, "merges", "model.merges"), tables);
        return tables;
    }

  private:
    using value = boost::json::value;

    [[noreturn]] void fail(std::string_view key, std::string_view expected,
                           std::string_view got) const {
        throw input_error{"tokenizer: ", key, ": expected ", expected, ", got ", got, " in ", file};
    }

    /// A value as a message shows it: short.
    static std::string shown(const value* what) {
        if (!what) return "nothing";
        if (what->is_object() && !what->as_object().contains("type"))
            return concat("an object of ", what->as_object().size(), " members");
        if (what->is_array()) return concat("a list of ", what->as_array().size());
        std::string text = boost::json::serialize(*what);
        constexpr std::size_t most = 120;
        return text.size() <= most ? text : text.substr(0, most) + "…";
    }

    value parse(std::string_view text, boost::json::storage_ptr memory) const {
        boost::system::error_code error;
        value root = boost::json::parse(text, error, std::move(memory));
        if (error) fail("the file", "JSON", error.message());
        return root;
    }

    const boost::json::object& object(const value& what, std::string_view key) const {
        if (!what.is_object()) fail(key, "an object", shown(&what));
        return what.get_object();
    }

    const value& member(const boost::json::object& of, std::string_view name,
                        std::string_view key) const {
        const value* found = of.if_contains(name);
        if (!found) fail(key, "the key", "nothing");
        return *found;
    }

    /// The key must hold exactly `expected` (JSON text).
    void require(const boost::json::object& of, std::string_view name, std::string_view key,
                 std::string_view expected) const {
        const value* found = of.if_contains(name);
        if (!found || *found != boost::json::parse(expected)) fail(key, expected, shown(found));
    }

    /// The key is absent, null, or something that means the same as absent.
    void require_nothing(const boost::json::object& of, std::string_view name, std::string_view key,
                         std::initializer_list<std::string_view> same_as_absent) const {
        const value* found = of.if_contains(name);
        if (!found || found->is_null()) return;
        for (const std::string_view same : same_as_absent)
            if (*found == boost::json::parse(same)) return;
        fail(key, "null", shown(found));
    }

    /// Refuses what encodes or decodes in another way than Gemma 4's tokenizer.
    void check_form(const boost::json::object& root, const boost::json::object& model) const {
        const value* type = model.if_contains("type");
        if (type && !type->is_null()) require(model, "type", "model.type", R"("BPE")");
        require(model, "byte_fallback", "model.byte_fallback", "true");
        require(model, "fuse_unk", "model.fuse_unk", "true");
        require_nothing(model, "dropout", "model.dropout", {"0.0"});
        require_nothing(model, "ignore_merges", "model.ignore_merges", {"false"});
        require_nothing(model, "continuing_subword_prefix", "model.continuing_subword_prefix",
                        {R"("")"});
        require_nothing(model, "end_of_word_suffix", "model.end_of_word_suffix", {R"("")"});
        require(root, "normalizer", "normalizer",
                R"({"type":"Replace","pattern":{"String":" "},"content":"▁"})");
        // after the normaliser no space is left, so this split never cuts
        require_nothing(root, "pre_tokenizer", "pre_tokenizer",
                        {R"({"type":"Split","pattern":{"String":" "},)"
                         R"("behavior":"MergedWithPrevious","invert":false})"});
        require(root, "decoder", "decoder",
                R"({"type":"Sequence","decoders":[)"
                R"({"type":"Replace","pattern":{"String":"▁"},"content":" "},)"
                R"({"type":"ByteFallback"},{"type":"Fuse"}]})");
        // a template only adds <bos> and the like around the ids, which is the caller's choice here
        const value* post = root.if_contains("post_processor");
        const boost::json::object* step = post ? post->if_object() : nullptr;
        const value* kind = step ? step->if_contains("type") : nullptr;
        if (post && !post->is_null() && !(kind && *kind == "TemplateProcessing"))
            fail("post_processor", "null or TemplateProcessing", shown(post));
    }

    /// The texts by id: every id from 0 on must be there once.
    std::vector<std::string_view> vocabulary_texts(const boost::json::object& vocab) const {
        std::vector<std::string_view> texts(vocab.size());
        if (texts.empty()) fail("model.vocab", "at least one entry", "none");
        for (const auto& [name, id] : vocab) {
            if (name.empty()) fail("model.vocab", "texts", "an empty one");
            const std::int64_t* number = id.if_int64();
            const auto key = [&] { return concat("model.vocab: \"", std::string_view{name}, '"'); };
            if (!number || *number < 0 || *number >= static_cast<std::int64_t>(texts.size()))
                fail(key(), concat("an id from 0 to ", texts.size() - 1), shown(&id));
            std::string_view& text = texts[static_cast<std::size_t>(*number)];
            if (text.data())
                fail(key(), concat("an id of its own"), concat("that of \"", text, '"'));
            text = name;
        }
        return texts;
    }

    bool flag(const boost::json::object& of, std::string_view name, const std::string& key) const {
        const value* found = of.if_contains(name);
        if (!found || !found->is_bool())
            fail(key + "." + std::string{name}, "true or false", shown(found));
        return found->get_bool();
    }

    /// Marks the added tokens; those that model.vocab lacks are appended to `texts`.
    void read_added(const value& list, tokenizer_tables& tables,
                    std::vector<std::string_view>& texts) const {
        if (!list.is_array()) fail("added_tokens", "a list", shown(&list));
        std::vector<bool> seen(texts.size() + list.get_array().size());
        for (std::size_t i = 0; i < list.get_array().size(); ++i) {
            const std::string key = concat("added_tokens[", i, "]");
            const boost::json::object& token = object(list.get_array()[i], key);
            const value& content = member(token, "content", key + ".content");
            if (!content.is_string() || content.get_string().empty())
                fail(key + ".content", "a text", shown(&content));
            for (const std::string_view name : {"single_word", "lstrip", "rstrip", "normalized"})
                if (flag(token, name, key)) fail(concat(key, ".", name), "false", "true");
            const auto known = tables.entries.find(content.get_string());
            const std::int64_t id = known ? *known : static_cast<std::int64_t>(texts.size());
            const value& listed = member(token, "id", key + ".id");
            if (listed != id)
                fail(key + ".id",
                     concat(id, known ? " as in model.vocab" : ", the next that is free"),
                     shown(&listed));
            if (!known) texts.push_back(content.get_string());
            if (seen[static_cast<std::size_t>(id)])
                fail(key, "a token of its own", concat(shown(&content), " a second time"));
            seen[static_cast<std::size_t>(id)] = true;
            tables.added.push_back({static_cast<std::int32_t>(id), flag(token, "special", key)});
        }
    }

    /// The two texts of a merge, listed as ["a", "b"] or as "a b".
    std::pair<std::string_view, std::string_view> parts_of(const value& merge,
                                                           std::size_t index) const {
        if (const boost::json::array* pair = merge.if_array())
            if (pair->size() == 2 && (*pair)[0].is_string() && (*pair)[1].is_string())
                return {(*pair)[0].get_string(), (*pair)[1].get_string()};
        if (const boost::json::string* text = merge.if_string()) {
            const std::string_view both = *text;
            const std::size_t space = both.find(' ');
            if (space != both.npos && both.find(' ', space + 1) == both.npos)
                return {both.substr(0, space), both.substr(space + 1)};
        }
        fail(concat("model.merges[", index, "]"), "a pair of texts", shown(&merge));
    }

    struct listed_merge {
        vocabulary::wanted left, right;
        std::int32_t left_id = -1, right_id = -1, product = -1;
    };

    /// In blocks, step by step: the tables are larger than a cache, so the reads of a block
    /// overlap. A merge that would make a special token out of plain text is left out.
    void read_merges(const value& list, tokenizer_tables& tables) const {
        if (!list.is_array()) fail("model.merges", "a list", shown(&list));
        const boost::json::array& merges = list.get_array();
        tables.merges = merge_table{merges.size()};
        std::vector<bool> special(static_cast<std::size_t>(tables.entries.size()));
        for (const added_token& token : tables.added)
            special[static_cast<std::size_t>(token.id)] = token.special;
        constexpr std::size_t most = 64;
        std::vector<listed_merge> block;
        for (std::size_t first = 0; first < merges.size(); first += most) {
            block.resize(std::min(most, merges.size() - first));
            for (std::size_t i = 0; i < block.size(); ++i) {
                const auto [left, right] = parts_of(merges[first + i], first + i);
                block[i].left = vocabulary::wanted{left};
                block[i].right = vocabulary::wanted{right};
                tables.entries.prefetch_slot(block[i].left);
                tables.entries.prefetch_slot(block[i].right);
            }
            for (const listed_merge& merge : block) {
                tables.entries.prefetch_text(merge.left);
                tables.entries.prefetch_text(merge.right);
            }
            find_parts(block, first, tables);
            for (std::size_t i = 0; i < block.size(); ++i) {
                const listed_merge& merge = block[i];
                if (special[static_cast<std::size_t>(merge.product)]) continue;
                tables.merges.insert(merge.left_id, merge.right_id,
                                     {static_cast<std::uint32_t>(first + i), merge.product});
                tables.seams.push_back(seam_of(merge, tables.unknown));
            }
        }
    }

    void find_parts(std::vector<listed_merge>& block, std::size_t first_rank,
                    const tokenizer_tables& tables) const {
        std::string joined;
        std::int32_t product = -1;  // all splits of one entry usually stand together
        for (std::size_t i = 0; i < block.size(); ++i) {
            const auto id_of = [&](const vocabulary::wanted& key) {
                const auto id = tables.entries.find(key);
                if (!id)
                    fail(concat("model.merges[", first_rank + i, "]"), "entries of model.vocab",
                         concat('"', key.text, '"'));
                return *id;
            };
            block[i].left_id = id_of(block[i].left);
            block[i].right_id = id_of(block[i].right);
            tables.merges.prefetch(block[i].left_id, block[i].right_id);
            joined.assign(block[i].left.text).append(block[i].right.text);
            if (product < 0 || tables.entries.text(product) != joined)
                product = id_of(vocabulary::wanted{joined});
            block[i].product = product;
        }
    }

    /// The characters that meet where the two parts of a merge do.
    static merge_seam seam_of(const listed_merge& merge, std::int32_t unknown) {
        const std::string_view left = merge.left.text, right = merge.right.text;
        // <unk> and <0x0A> may stand for some character: their own letters say nothing
        if (merge.left_id == unknown || merge.right_id == unknown) return {};
        const auto is_byte = [](std::string_view text) {
            return text.size() == 6 && text.starts_with("<0x");
        };
        if (is_byte(left) || is_byte(right)) return {};
        std::size_t last = left.size() - 1;
        while (last > 0 && (left[last] & 0xC0) == 0x80) --last;
        return {read_utf8(left, last).value, read_utf8(right, 0).value};
    }

    std::string file;
};

/// The bytes of a file. Errors: input_error when it cannot be read or is implausibly large.
inline std::string read_tokenizer_file(const std::filesystem::path& path) {
    constexpr std::uintmax_t most_bytes = std::uintmax_t{1} << 28;  // Gemma 4's has 2^25
    std::error_code error;
    const std::uintmax_t bytes = std::filesystem::file_size(path, error);
    if (error)
        throw input_error{"tokenizer: expected a file, got ", error.message(), ": ", path.string()};
    if (bytes > most_bytes)
        throw input_error{"tokenizer: expected at most ",
                          most_bytes,
                          " bytes, got ",
                          bytes,
                          " in ",
                          path.string()};
    std::string text(static_cast<std::size_t>(bytes), '\0');
    std::ifstream in{path, std::ios::binary};
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in || in.gcount() != static_cast<std::streamsize>(text.size()))
        throw input_error{"tokenizer: expected ", bytes, " bytes, got ", in.gcount(), " in ",
                          path.string()};
    return text;
}

}  // namespace detail

/// Reads and checks a tokenizer.json; what a post-processor would add to the ids is left out, and
/// so are truncation and padding, which are settings of a caller. Errors: input_error with key,
/// expected, got and file for anything but Gemma 4's form.
inline tokenizer_tables read_tokenizer_json(const std::filesystem::path& path) {
    return detail::tokenizer_reader{path}.read(detail::read_tokenizer_file(path));
}

}  // namespace g4
