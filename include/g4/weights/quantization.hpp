// What a checkpoint says about its quantised linears: AutoRound and GPTQ configs, untrusted.
// Source: vllm 0.20, quantization/auto_round.py (extra_config: exact name, then re.search) and
// utils/gptq_utils.py (dynamic: first rule by re.match); GPTQModel 7.7, QuantizeConfig.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/json.hpp"
#include "g4/core/log.hpp"
#include "g4/weights/name_pattern.hpp"
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4 {

/// How one linear is stored, if it is quantised at all: that its tensors tell, not the config.
struct int4_scheme {
    std::int32_t bits = 4;
    std::int32_t group = 128;  // whole_row: one scale per output
    bool symmetric = true;
    std::string said_by;  // the key of the config, for messages

    static constexpr std::int32_t whole_row = -1;
};

/// The quantisation config of a folder.
class quantization {
  public:
    /// From config.json (quantization_config, also inside text_config), quantization_config.json
    /// and quantize_config.json: the first that is there counts, the others must agree with it.
    /// Nothing when none is there.
    /// Errors: input_error naming file and key for another method, layout, width, zero points
    /// or element type than AutoRound's and GPTQ's symmetric int4, and for contradictions.
    static std::optional<quantization> read(const std::filesystem::path& folder,
                                            const logger& log = {});
    /// One config.
    ///   bare  from quantize_config.json: old GPTQ files there name no method
    static quantization parse(const json_view& config, bool bare = false, const logger& log = {});

    /// For one linear. Rules that keep a linear plain are not heeded: its tensors decide that.
    ///   names     all spellings of its name; an exact rule may use any
    ///   declared  the spellings that patterns are run on, in the order of preference
    int4_scheme scheme_of(std::span<const std::string> names,
                          std::span<const std::string> declared) const;
    /// What every nibble of qzeros must be: 7 in v1 files, which store zero - 1, 8 in v2.
    std::int32_t stored_zero() const { return stored_zero_; }
    /// Act-order: g_idx must be there, and trivial, for the file to be readable.
    bool act_order() const { return act_order_; }
    const std::string& method() const { return method_; }

  private:
    struct setting {  // what an override says of the linears that it matches
        bool plain = false;
        std::optional<std::int32_t> bits{}, group{};
        std::optional<bool> symmetric{};
        std::string key;
    };
    struct pattern_rule {
        name_pattern pattern;
        bool anywhere = false;  // re.search, not re.match
        setting says;
    };

    void read_method(const json_view& config, bool bare);
    void read_numbers(const json_view& config);
    static setting read_setting(const json_view& value, bool plain);
    void add_pattern(std::string_view text, bool anywhere, const setting& says, const logger& log);
    void read_rules(const json_view& config, const logger& log);
    void require_agreement(const quantization& other) const;
    int4_scheme with(const setting& says) const;

    int4_scheme base_;
    std::int32_t stored_zero_ = 7;
    bool act_order_ = false;
    std::string method_, where_;
    std::map<std::string, setting, std::less<>> exact_;  // asked before the patterns
    std::vector<pattern_rule> patterns_;                 // the first that matches counts
};

namespace detail {

/// One key under either of its names. Errors: input_error when both are there and differ.
inline std::optional<json_view> either_key(const json_view& config, std::string_view older,
                                           std::string_view newer) {
    const auto first = config.find(older), second = config.find(newer);
    if (first && second && first->text() != second->text())
        second->expected("the same as ", older, ", \"", printable(first->text()), '"');
    return first ? first : second;
}

/// "auto_round" and "autoround" as "auto-round", all else in lower case as it is.
inline std::string spelled_method(std::string_view text) {
    std::string out;
    for (const char c : text)
        out += c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
    return out == "autoround" ? "auto-round" : out;
}

inline std::int32_t group_size(const json_view& value) {
    const std::int64_t size = value.integer(int4_scheme::whole_row, 1 << 20);
    // a packed word holds 8 inputs of one output: they must share their scale
    if (size != int4_scheme::whole_row && (size == 0 || size % 8 != 0))
        value.expected("-1 or a multiple of 8");
    return static_cast<std::int32_t>(size);
}

}  // namespace detail

inline void quantization::read_method(const json_view& config, bool bare) {
    const auto method = detail::either_key(config, "quant_method", "method");
    if (!method && !bare) config["quant_method"].text();  // throws: absent or null
    method_ = method ? detail::spelled_method(method->text()) : "gptq";
    const auto refuse_other = [](const json_view& value, std::string_view only) {
        if (value.text() != only) value.expected('"', only, '"');
    };
    if (method_ == "auto-round") {
        if (const auto format = config.find("packing_format"))
            refuse_other(*format, "auto_round:auto_gptq");
        stored_zero_ = 7;
    } else if (method_ == "gptq") {
        const auto format = detail::either_key(config, "checkpoint_format", "format");
        if (format && format->text() != "gptq" && format->text() != "gptq_v2")
            format->expected("\"gptq\" or \"gptq_v2\"");
        stored_zero_ = format && format->text() == "gptq_v2" ? 8 : 7;
        if (const auto packed = config.find("pack_dtype")) refuse_other(*packed, "int32");
    } else {
        method->expected("\"auto-round\" or \"gptq\"");
    }
    if (const auto kind = config.find("data_type")) refuse_other(*kind, "int");
}

inline void quantization::read_numbers(const json_view& config) {
    if (config["bits"].integer() != 4) config["bits"].expected("4");
    base_.group = detail::group_size(config["group_size"]);
    base_.said_by = config.where();
    if (const auto symmetric = config.find("sym"); symmetric && !symmetric->boolean())
        symmetric->expected("true: zero points that vary are not supported");
    if (const auto activations = config.find("act_bits");
        activations && activations->integer() < 16)
        activations->expected("at least 16: activations are not quantised");
    if (const auto order = config.find("desc_act")) act_order_ = order->boolean();
}

inline quantization::setting quantization::read_setting(const json_view& value, bool plain) {
    setting out{.plain = plain, .key = value.where()};
    if (plain) return out;
    if (const auto bits = value.find("bits"))
        out.bits = static_cast<std::int32_t>(bits->integer(1, 64));
    if (out.bits >= 16) out.plain = true;
    if (out.plain) return out;
    if (const auto group = value.find("group_size")) out.group = detail::group_size(*group);
    if (const auto symmetric = value.find("sym")) out.symmetric = symmetric->boolean();
    return out;
}

inline void quantization::add_pattern(std::string_view text, bool anywhere, const setting& says,
                                      const logger& log) {
    try {
        patterns_.push_back({name_pattern{text}, anywhere, says});
    } catch (const input_error& unknown) {
        if (!says.plain) throw input_error{says.key, ": ", unknown.what()};
        // harmless: a rule that keeps linears plain decides nothing, their tensors do
        log.warning(says.key, ": ", unknown.what(), "; the rule only names plain linears: ignored");
    }
}

inline void quantization::read_rules(const json_view& config, const logger& log) {
    if (const auto extra = config.find("extra_config"); extra && method_ == "auto-round")
        for (const auto& [name, value] : extra->members()) {
            const setting says = read_setting(value, false);
            exact_.emplace(name, says);
            if (name.find_first_of("*+?^$()[]{}|\\") != name.npos)
                add_pattern(name, true, says, log);
        }
    if (const auto dynamic = config.find("dynamic"))
        for (const auto& [key, value] : dynamic->members()) {
            std::string_view text = key;
            const bool plain = text.starts_with("-:");
            if (plain || text.starts_with("+:")) text.remove_prefix(2);
            add_pattern(text, false, read_setting(value, plain), log);
        }
}

inline quantization quantization::parse(const json_view& config, bool bare, const logger& log) {
    quantization out;
    out.where_ = config.where();
    out.read_method(config, bare);
    out.read_numbers(config);
    out.read_rules(config, log);
    return out;
}

inline void quantization::require_agreement(const quantization& other) const {
    if (base_.group != other.base_.group)
        throw input_error{other.where_, ": expected group_size ", base_.group, " as in ", where_,
                          ", got ",     other.base_.group};
    if (stored_zero_ != other.stored_zero_)
        throw input_error{other.where_,
                          ": expected zero points stored as ",
                          stored_zero_,
                          " as in ",
                          where_,
                          ", got ",
                          other.stored_zero_,
                          "; one says \"gptq\" (v1), the other \"gptq_v2\""};
}

inline std::optional<quantization> quantization::read(const std::filesystem::path& folder,
                                                      const logger& log) {
    std::optional<quantization> out;
    const auto take = [&](const json_view& config, bool bare) {
        quantization read = parse(config, bare, log);
        if (out) out->require_agreement(read);
        else out = std::move(read);
    };
    for (const char* name : {"config.json", "quantization_config.json", "quantize_config.json"}) {
        const std::filesystem::path file = folder / name;
        std::error_code failed;
        if (!std::filesystem::exists(file, failed)) continue;
        const boost::json::value parsed = read_json(file);
        const json_view root{parsed, file.string()};
        if (name != std::string_view{"config.json"}) {
            take(root, name == std::string_view{"quantize_config.json"});
            continue;
        }
        if (const auto config = root.find("quantization_config")) take(*config, false);
        if (const auto text = root.find("text_config"))
            if (const auto config = text->find("quantization_config")) take(*config, false);
    }
    return out;
}

inline int4_scheme quantization::with(const setting& says) const {
    int4_scheme out = base_;
    if (says.plain) return out;
    out.bits = says.bits.value_or(out.bits);
    out.group = says.group.value_or(out.group);
    out.symmetric = says.symmetric.value_or(out.symmetric);
    out.said_by = says.key;
    return out;
}

inline int4_scheme quantization::scheme_of(std::span<const std::string> names,
                                           std::span<const std::string> declared) const {
    for (const std::string& name : names)
        if (const auto found = exact_.find(name); found != exact_.end()) return with(found->second);
    for (const pattern_rule& rule : patterns_)
        for (const std::string& name : declared)
            if (rule.anywhere ? rule.pattern.found_in(name) : rule.pattern.starts(name))
                return with(rule.says);
    return base_;
}

}  // namespace g4
