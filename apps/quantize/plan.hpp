// What becomes of each tensor of a checkpoint: rounded, or carried over; and in which file it ends.
#pragma once
#include "apps/model.hpp"
#include "apps/quantize/options.hpp"
#include "g4/weights/name_pattern.hpp"
#include "g4/weights/quantize_linear.hpp"
#include "g4/weights/safetensors_output.hpp"
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::apps {

/// A tensor of the input.
struct planned_tensor {
    const stored_tensor* source = nullptr;
    const weight* linear = nullptr;  // what to round; null: carried over
    std::vector<tensor_form> parts;  // what it becomes

    /// "model.language_model.layers.0.self_attn.q_proj"
    std::string module() const { return source->name.substr(0, source->name.rfind('.')); }
};

/// One file of the output, its tensors as they lie in the input: that is read front to back.
struct planned_file {
    std::string name;
    std::vector<planned_tensor> tensors;
    std::uint64_t bytes = 0;
};

struct quantize_plan {
    std::vector<planned_file> files;
    std::deque<weight> unused;       // linears that the model does not read, see layer_linears
    std::vector<std::string> plain;  // linears of the layers that are not rounded: their modules
    std::size_t rounded = 0;
    std::uint64_t read_bytes = 0, written_bytes = 0;  // of tensors
};

namespace detail {

/// As the format's own library and auto-round cut shards.
inline constexpr std::uint64_t shard_bytes = 5'000'000'000;

inline std::vector<tensor_form> int4_parts_of(const std::string& module, const weight& linear,
                                              const quantize_options& options) {
    const std::int64_t rows = linear.rows, columns = linear.columns;
    const std::int64_t groups = columns / options.group;
    const auto bytes = [](std::int64_t count, std::int64_t width) {
        return static_cast<std::uint64_t>(count * width);
    };
    std::vector<tensor_form> out{
        {module + ".qweight", "I32", {columns / 8, rows}, bytes(columns / 8 * rows, 4)},
        {module + ".qzeros", "I32", {groups, rows / 8}, bytes(groups * rows / 8, 4)},
        {module + ".scales", "F16", {groups, rows}, bytes(groups * rows, 2)}};
    if (options.layout == int4_layout::gptq)
        out.push_back({module + ".g_idx", "I32", {columns}, bytes(columns, 4)});
    return out;
}

/// The patterns of --skip, and whether each was of use.
class skip_patterns {
  public:
    explicit skip_patterns(const std::vector<std::string>& texts) {
        for (const std::string& text : texts) rules_.push_back({text, compiled(text), false});
    }
    bool match(std::string_view module) {
        bool any = false;
        for (rule& each : rules_)
            if (each.pattern.found_in(module)) any = each.used = true;
        return any;
    }
    /// A pattern that keeps nothing plain is a slip of the pen.
    void require_use() const {
        for (const rule& each : rules_)
            if (!each.used)
                throw input_error{
                    "--skip: expected a part of the name of a linear in the layers, "
                    "got \"",
                    each.text, "\"; g4-compile MODEL_DIR --tensors lists the names"};
    }

  private:
    struct rule {
        std::string text;
        name_pattern pattern;
        bool used;
    };
    static name_pattern compiled(const std::string& text) {
        try {
            return name_pattern{text};
        } catch (const input_error& wrong) {
            throw input_error{"--skip: ", wrong.what()};
        }
    }
    std::vector<rule> rules_;
};

/// Shards in the order of the tensors, each up to shard_bytes unless one tensor is larger.
inline void cut_into_files(quantize_plan& plan, std::vector<planned_tensor> tensors) {
    for (planned_tensor& tensor : tensors) {
        std::uint64_t bytes = 0;
        for (const tensor_form& part : tensor.parts) bytes += part.bytes;
        if (plan.files.empty() || plan.files.back().bytes + bytes > shard_bytes)
            plan.files.emplace_back();
        plan.files.back().tensors.push_back(std::move(tensor));
        plan.files.back().bytes += bytes;
        plan.written_bytes += bytes;
    }
    const auto digits = [](std::size_t number) {
        const std::string text = concat(number);
        return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
    };
    const std::size_t count = plan.files.size();
    for (std::size_t i = 0; i < count; ++i)
        plan.files[i].name =
            count == 1 ? "model.safetensors"
                       : concat("model-", digits(i + 1), "-of-", digits(count), ".safetensors");
}

/// Which tensors of the file are linears of layers, by canonical name.
///
/// A file may hold more of them than the model reads: keys and values of layers that share a cache.
/// What other layers have as a linear is one there too, for vLLM joins it with its neighbours, and
/// they must be stored alike.
class layer_linears {
  public:
    layer_linears(const model_config_file& config, const loaded_weights& loaded)
        : rules_{config.model.weight_names}, files_{*loaded.files} {
        for (const declared_weight& want : declared_weights(config.model.program)) {
            const std::string name = rules_.canonical(want.name);
            if (!want.linear || name.find("layers.") == name.npos) continue;
            declared_.emplace(name, &loaded.table.at(want.name));
            of_any_layer_.insert(without_number(name));
        }
    }

    /// The linear that a stored tensor is, or null. The plan keeps what the model does not declare.
    const weight* find(const stored_tensor& stored, quantize_plan& plan) const {
        const std::string name = rules_.canonical(stored.name);
        if (const auto found = declared_.find(name); found != declared_.end()) return found->second;
        const std::optional<dtype> type = stored.type();
        if (!of_any_layer_.contains(without_number(name)) || stored.shape.size() != 2 || !type ||
            *type == dtype::i32)
            return nullptr;
        return &plan.unused.emplace_back(
            weight{.type = *type,
                   .rows = stored.shape[0],
                   .columns = stored.shape[1],
                   .data = files_.aligned(stored, static_cast<std::size_t>(bytes_of(*type)))});
    }

  private:
    /// "layers.24.self_attn.k_proj.weight" without the 24.
    static std::string without_number(const std::string& name) {
        std::string out;
        for (std::size_t i = 0; i < name.size(); ++i)
            if (name[i] < '0' || name[i] > '9' || i == 0 || name[i - 1] == '_') out += name[i];
        return out;
    }

    const weight_name_rules& rules_;
    checkpoint& files_;
    std::map<std::string, const weight*> declared_;
    std::set<std::string> of_any_layer_;
};

}  // namespace detail

/// Linears of layers are rounded when their sizes pack and no pattern keeps them.
///   loaded   of the plain model; the plan points into it
/// Errors: input_error for a pattern that cannot be read or is of no use, and when nothing is left
///         to round.
inline quantize_plan plan_quantization(const model_config_file& config,
                                       const loaded_weights& loaded,
                                       const quantize_options& options, const logger& log) {
    const detail::layer_linears linears{config, loaded};
    quantize_plan out;
    detail::skip_patterns skip{options.skip};
    std::vector<planned_tensor> tensors;
    for (const stored_tensor& stored : loaded.files->tensors()) {
        planned_tensor tensor{
            &stored, nullptr, {{stored.name, stored.type_name, stored.shape, stored.data.size()}}};
        out.read_bytes += stored.data.size();
        if (const weight* linear = linears.find(stored, out)) {
            const bool fits = packs_as_int4(linear->rows, linear->columns, options.group);
            if (skip.match(tensor.module()) || !fits) {
                out.plain.push_back(tensor.module());
                if (!fits)
                    log.warning(stored.name, ": stays plain: [", linear->rows, ", ",
                                linear->columns, "] is no multiple of [32, ", options.group, "]");
            } else {
                tensor.linear = linear;
                tensor.parts = detail::int4_parts_of(tensor.module(), *linear, options);
                ++out.rounded;
            }
        }
        tensors.push_back(std::move(tensor));
    }
    skip.require_use();
    if (out.rounded == 0)
        throw input_error{config.folder.string(), ": expected a linear to round, got ",
                          out.plain.size(), " that all stay plain",
                          options.group == 128 ? "; small models need --group 32" : ""};
    detail::cut_into_files(out, std::move(tensors));
    return out;
}

}  // namespace g4::apps
