// The weights that a declaration wants, found in a checkpoint, checked, and put in a table.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/log.hpp"
#include "g4/gate/weights.hpp"
#include "g4/weights/checkpoint.hpp"
#include "g4/weights/declared.hpp"
#include "g4/weights/int4.hpp"
#include "g4/weights/names.hpp"
#include "g4/weights/quantization.hpp"
#include "g4/weights/slices.hpp"
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4 {

/// Every declared weight, by its declared name.
///   files      must outlive the table; keeps copies of tensors whose place in the file does not
///              suit their element type (logged with their bytes)
///   config     of a quantised checkpoint; linears without .qweight stay plain regardless
///   threads    for comparing tensors that must be equal; 0: all that the machine has
///   result     data and scales are aligned to their element, which may be as little as 2 bytes
/// Errors: one input_error for all that is wrong, its first line the first finding, at most ten:
///         a tensor that is missing, has another shape or type, is there twice under two spellings,
///         is not known (with the nearest name that is), or is a copy that differs; a quantised
///         tensor with a scheme that cannot be read, scales that are not finite, zero points or a
///         g_idx that the scheme does not allow.
/// Cost:   reads scales, zero points and copies; other data is not touched.
weight_table bind_weights(checkpoint& files, std::span<const declared_weight> declared,
                          const weight_name_rules& rules,
                          const std::optional<quantization>& config = std::nullopt,
                          const logger& log = {}, unsigned threads = 0);

namespace detail {

/// Collects what is wrong, so that a user mends a file once and not line by line.
class problem_list {
  public:
    static constexpr std::size_t shown = 10;

    template <class... Parts> void add(const Parts&... parts) {
        if (++count_ <= shown) text_ += (text_.empty() ? "" : "\n") + concat(parts...);
    }
    bool full() const { return count_ >= shown; }
    void throw_if_any() const {
        if (count_ == 0) return;
        if (count_ <= shown) throw input_error{text_};
        throw input_error{text_, "\nand ", count_ - shown, " more of this kind"};
    }

  private:
    std::string text_;
    std::size_t count_ = 0;
};

/// "BF16 [2, 3] in model.safetensors"
inline std::string described(const stored_tensor& tensor) {
    return concat(printable(tensor.type_name), " ", shape_text(tensor.shape), " in ", tensor.file);
}

inline std::string wanted_shape(const declared_weight& want) {
    return want.columns == 1 ? concat("[", want.rows, "]")
                             : concat("[", want.rows, ", ", want.columns, "]");
}

/// Whether the axes of a tensor, some first ones joined and the rest joined, are rows and columns.
inline bool fits(std::span<const std::int64_t> shape, const declared_weight& want) {
    if (want.columns == 1 && shape.size() <= 1) return (shape.empty() ? 1 : shape[0]) == want.rows;
    for (std::size_t cut = 1; cut < shape.size(); ++cut)
        if (checked_product(shape.first(cut)) == want.rows &&
            checked_product(shape.subspan(cut)) == want.columns)
            return true;
    return false;
}

/// The work of bind_weights; each member function is one of its steps.
class weight_binder {
  public:
    weight_binder(checkpoint& files, const weight_name_rules& rules,
                  const std::optional<quantization>& config, problem_list& problems)
        : files_{files}, rules_{rules}, config_{config}, problems_{problems} {
        for (const stored_tensor& tensor : files.tensors()) {
            std::string name = rules.canonical(tensor.name);
            if (rules.ignores(name)) continue;
            const auto [at, fresh] = by_name_.emplace(std::move(name), &tensor);
            if (!fresh)
                problems.add("weights: ", printable(tensor.name),
                             ": expected each tensor under one name, got it also as ",
                             printable(at->second->name), " in ", at->second->file);
        }
    }

    void bind(const declared_weight& want) {
        constexpr std::string_view ending = ".weight";
        const std::string name = rules_.canonical(want.name);
        known_.push_back(name);
        const stored_tensor* plain = take(name);
        if (name.ends_with(ending)) {
            const std::string module = name.substr(0, name.size() - ending.size());
            if (const stored_tensor* packed = take(module + ".qweight")) {
                known_.back() = module + ".qweight";
                return bind_packed(want, module, *packed, plain);
            }
            if (want.linear) drop_zero_bias(want, module);
        }
        if (plain == nullptr)
            return problems_.add("weights: ", want.name, ": expected BF16, F16 or F32 ",
                                 wanted_shape(want), ", got no tensor of that name in ",
                                 files_.description());
        const std::optional<dtype> type = plain->type();
        if (!type || *type == dtype::i32 || !fits(plain->shape, want))
            return problems_.add("weights: ", want.name, ": expected BF16, F16 or F32 ",
                                 wanted_shape(want), ", got ", described(*plain));
        weight out{.type = *type, .rows = want.rows, .columns = want.columns};
        out.data = files_.aligned(*plain, static_cast<std::size_t>(bytes_of(*type)));
        keep(want, out);
    }

    void check_copy(const weight_name_rules::copy_of& rule, unsigned threads) {
        const std::string name = rules_.canonical(rule.name);
        known_.push_back(name);
        const stored_tensor* copy = take(name);
        const auto original = by_name_.find(rules_.canonical(rule.original));
        if (copy == nullptr || original == by_name_.end()) return;
        const stored_tensor& first = *original->second;
        if (copy->type_name != first.type_name || copy->shape != first.shape)
            return problems_.add("weights: ", copy->name, ": expected it to equal ", first.name,
                                 ", which is ", described(first), ", got ", described(*copy));
        std::atomic<bool> equal = true;
        for_slices(first.data.size(), std::size_t{1} << 20, threads,
                   [&](std::size_t begin, std::size_t end) {
                       if (equal && std::memcmp(first.data.data() + begin,
                                                copy->data.data() + begin, end - begin) != 0)
                           equal = false;
                   });
        if (!equal)
            problems_.add("weights: ", copy->name, ": expected the bytes of ", first.name,
                          ", got others in ", copy->file,
                          "; a model whose two tensors differ is not supported");
    }

    /// Whatever is left belongs to no declared weight and no group that may lie there unused.
    void refuse_unknown() {
        for (const auto& [name, tensor] : by_name_) {
            if (used_.contains(name)) continue;
            const std::string nearest = problems_.full() ? "" : nearest_known(name);
            problems_.add("weights: ", printable(tensor->name),
                          ": expected no tensor of that name, got ", described(*tensor),
                          nearest.empty() ? "" : "; the nearest known name is ", nearest);
        }
    }

    weight_table table() && { return std::move(table_); }

  private:
    std::string nearest_known(const std::string& name) const {
        std::string nearest;
        std::size_t least = std::string::npos;
        for (const std::string& known : known_)
            if (const std::size_t distance = edit_distance(known, name); distance < least) {
                nearest = known;
                least = distance;
            }
        return nearest;
    }
    const stored_tensor* take(const std::string& name) {
        const auto found = by_name_.find(name);
        if (found == by_name_.end()) return nullptr;
        used_.insert(name);
        return found->second;
    }
    void keep(const declared_weight& want, const weight& found) {
        G4_ASSERT(table_.emplace(want.name, found).second, ": ", want.name, " is declared twice");
    }

    /// Some exporters write a bias of zeros beside each linear: it changes nothing.
    void drop_zero_bias(const declared_weight& want, const std::string& module) {
        const stored_tensor* bias = take(module + ".bias");
        if (bias == nullptr) return;
        const auto zero = [](std::byte byte) { return byte == std::byte{0}; };
        if (!std::all_of(bias->data.begin(), bias->data.end(), zero))
            problems_.add("weights: ", bias->name, ": expected no bias of ", want.name,
                          ", or zeros, got ", described(*bias));
    }

    void bind_packed(const declared_weight& want, const std::string& module,
                     const stored_tensor& packed, const stored_tensor* plain) {
        int4_parts parts{.packed = &packed,
                         .scales = take(module + ".scales"),
                         .zeros = take(module + ".qzeros"),
                         .order = take(module + ".g_idx")};
        drop_zero_bias(want, module);
        const auto fail = [&](const auto&... rest) {
            problems_.add("weights: ", packed.name, ": ", rest...);
        };
        if (plain != nullptr)
            return fail("expected either it or ", plain->name, ", got both in ", packed.file);
        if (!want.linear)
            return fail("expected ", want.name,
                        " to be plain, it is not the weight of a linear, got ", described(packed));
        if (!config_) return fail("expected a quantization_config in config.json, got none");
        std::vector<std::string> declared{want.name.substr(0, want.name.rfind('.')),
                                          packed.name.substr(0, packed.name.rfind('.')), module};
        const int4_scheme scheme = config_->scheme_of(rules_.spellings(module), declared);
        if (scheme.bits != 4 || !scheme.symmetric)
            return fail("expected 4 bits, symmetric, got ", scheme.bits,
                        scheme.symmetric ? " bits" : " bits with zero points that vary", " from ",
                        scheme.said_by);
        weight out{.stored = weight::form::int4, .rows = want.rows, .columns = want.columns};
        out.group = scheme.group == int4_scheme::whole_row ? static_cast<std::int32_t>(want.columns)
                                                           : scheme.group;
        if (const std::string wrong = check_int4(parts, out, *config_); !wrong.empty())
            return problems_.add("weights: ", wrong);
        out.type = dtype::i32;
        out.scale_type = *parts.scales->type();
        out.data = files_.aligned(packed, 4);
        out.scales =
            files_.aligned(*parts.scales, static_cast<std::size_t>(bytes_of(out.scale_type)));
        keep(want, out);
    }

    checkpoint& files_;
    const weight_name_rules& rules_;
    const std::optional<quantization>& config_;
    problem_list& problems_;
    std::map<std::string, const stored_tensor*> by_name_;  // canonical
    std::set<std::string> used_;
    std::vector<std::string> known_;  // canonical names that would have been right
    weight_table table_;
};

}  // namespace detail

inline weight_table bind_weights(checkpoint& files, std::span<const declared_weight> declared,
                                 const weight_name_rules& rules,
                                 const std::optional<quantization>& config, const logger& log,
                                 unsigned threads) {
    detail::problem_list problems;
    detail::weight_binder binder{files, rules, config, problems};
    for (const declared_weight& want : declared) binder.bind(want);
    for (const weight_name_rules::copy_of& rule : rules.copies) binder.check_copy(rule, threads);
    binder.refuse_unknown();
    problems.throw_if_any();
    if (files.copied_bytes() != 0)
        log.warning("weights: copied ", files.copied_bytes(),
                    " bytes of tensors that lie at odd places in their file");
    weight_table table = std::move(binder).table();
    const auto packed = std::count_if(table.begin(), table.end(), [](const auto& entry) {
        return entry.second.stored == weight::form::int4;
    });
    log.info("weights: ", table.size(), " tensors bound, ", packed, " of them int4");
    return table;
}

}  // namespace g4
