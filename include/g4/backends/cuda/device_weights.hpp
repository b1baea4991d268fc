// The weights as the kernels read them: packed on the device at load, one copy for all steps.
#pragma once
#include "g4/backends/cuda/kernel_set.hpp"
#include "g4/backends/cuda/options.hpp"
#include "g4/backends/cuda/pack.hpp"
#include "g4/backends/cuda/passes.hpp"
#include "g4/runtime/uploader.hpp"

namespace g4::cuda {

/// One matrix of a linear pass.
///   plain  [rows, columns] bf16 row-major: of bf16 weights the only form, of int4 a copy that may
///          be missing (null)
struct device_matrix {
    packed_form form;
    std::int64_t rows = 0, columns = 0;
    bool paired = false;
    const void* packed = nullptr;
    const void* scales = nullptr;
    const g4k::bf16_bits* plain = nullptr;
};

/// What the weights of a plan take, before any is loaded.
struct weight_sizes { std::size_t packed = 0, plain = 0, copies = 0, vectors = 0; };

/// The forms alone: all that a dry run needs.
inline std::vector<device_matrix> matrix_forms(const lowered_plan& lowered,
                                               const weight_table& weights) {
    std::vector<device_matrix> out;
    for (const matrix_use& m : lowered.matrices) {
        std::vector<const weight*> tensors;
        for (const std::string& name : m.tensors) {
            const auto found = weights.find(name);
            G4_ASSERT(found != weights.end(), "cuda: no weight ", name);
            tensors.push_back(&found->second);
        }
        out.push_back({packed_form_of(tensors), m.rows, m.columns, m.paired});
    }
    return out;
}

class device_weights {
  public:
    /// The packing kernels, for the plan's set.
    static void gather(kernel_set& kernels) {
        for (const packing what : {packing::int4_words, packing::int4_scales, packing::bf16})
            kernels.number_of(pack_request(what));
    }

    /// Errors: input_error when the device lacks the memory, with what was needed.
    device_weights(const device& on, const stream& order, const lowered_plan& lowered,
                   const weight_table& weights, kernel_set& kernels, bool copies,
                   const logger& log)
        : device_{on}, order_{order}, weights_{weights}, kernels_{kernels}, copies_{copies},
          matrices_{matrix_forms(lowered, weights)} {
        check_room(lowered);
        uploader sends{on, order, std::thread::hardware_concurrency()};
        uploader_ = &sends;
        for (std::size_t i = 0; i < matrices_.size(); ++i) {
            load(lowered.matrices[i], matrices_[i]);
            report(log, i + 1, matrices_.size());
        }
        for (const std::string& name : lowered.tables) {
            tables_.push_back(table(lowered, name));
            table_strides_.push_back(g4k::plain_stride(static_cast<int>(find(name).columns)));
        }
        load_vectors(lowered);
        order.synchronize();
        staging_ = {};
        uploader_ = nullptr;
    }

    const std::vector<device_matrix>& matrices() const { return matrices_; }
    const g4k::bf16_bits* table(std::int32_t index) const {
        return tables_[static_cast<std::size_t>(index)];
    }
    std::int64_t table_stride(std::int32_t index) const {
        return table_strides_[static_cast<std::size_t>(index)];
    }
    const std::map<bound_vector, const float*>& vectors() const { return vectors_; }
    const weight_sizes& bytes() const { return bytes_; }

  private:
    const weight& find(const std::string& name) const {
        const auto found = weights_.find(name);
        G4_ASSERT(found != weights_.end(), "cuda: no weight ", name);
        return found->second;
    }
    static std::size_t scales_of(const weight& w) {
        if (w.stored != weight::form::int4) return 0;
        return static_cast<std::size_t>((w.columns + w.group - 1) / w.group * w.rows *
                                        bytes_of(w.scale_type));
    }
    static std::size_t data_of(const weight& w) {
        if (w.stored == weight::form::int4)
            return static_cast<std::size_t>((w.columns + 7) / 8 * w.rows) * 4;
        return static_cast<std::size_t>(w.rows * w.columns * bytes_of(w.type));
    }
    static std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }
    std::size_t raw_bytes(const std::vector<std::string>& tensors) const {
        std::size_t out = 0;
        for (const std::string& name : tensors)
            out += aligned(data_of(find(name))) + aligned(scales_of(find(name)));
        return out;
    }
    /// Bytes that need no conversion go straight to their place.
    bool is_as_stored(const std::vector<std::string>& tensors) const {
        const weight& w = find(tensors[0]);
        return tensors.size() == 1 && w.stored == weight::form::plain && w.type == dtype::bf16 &&
               w.columns % 8 == 0;
    }

    void check_room(const lowered_plan& lowered) {
        std::size_t need = 0;
        for (const device_matrix& m : matrices_) {
            need += packed_weight_bytes(m.form, m.rows, m.columns) +
                    packed_scale_bytes(m.form, m.rows, m.columns);
            if (copies_ && m.form.form == g4k::weight_form::int4)
                need += packed_weight_bytes({}, m.rows, m.columns);
        }
        for (const std::string& name : lowered.tables)
            if (!matrix_of(lowered, name)) need += packed_weight_bytes({}, find(name).rows,
                                                                       find(name).columns);
        if (const memory_room room = device_.memory(); need > room.free_bytes)
            throw input_error{"cuda: the weights: expected ", need,
                              " bytes of device memory free, got ", room.free_bytes, " of ",
                              room.total_bytes};
    }
    void report(const logger& log, std::size_t done, std::size_t all) {
        const std::size_t tenth = done * 10 / all;
        if (tenth == reported_ || done == all) return;
        reported_ = tenth;
        log.info("cuda: weights: ", tenth * 10, " % packed");
    }

    void* allocate(std::size_t bytes, std::size_t& count) {
        count += bytes;
        memory_.emplace_back(device_, bytes);
        return memory_.back().data();
    }
    void launch(packing what, const g4k::pack_args& args) {
        const std::int32_t number = kernels_.number_of(pack_request(what));
        order_.launch(kernels_.at(number), pack_shape(what, args), args);
    }
    /// The tensors as stored, on the device; valid until the next call.
    g4k::pack_args stage(const std::vector<std::string>& tensors, bool paired) {
        g4k::pack_args out{};
        if (const std::size_t bytes = raw_bytes(tensors); bytes > staging_.size())
            staging_ = device_buffer{device_, bytes};  // freeing the old one waits for its readers
        if (tensors.size() > std::size(out.sources))
            throw input_error{"cuda: ", tensors[0], ": expected at most ", std::size(out.sources),
                              " linears of one input, got ", tensors.size()};
        std::byte* next = staging_.data();
        for (const std::string& name : tensors) {
            const weight& w = find(name);
            std::byte* data = next;
            std::byte* scales = data + aligned(data_of(w));
            uploader_->upload(data, w.data, data_of(w));
            if (scales_of(w) > 0) uploader_->upload(scales, w.scales, scales_of(w));
            next = scales + aligned(scales_of(w));
            out.sources[out.source_count++] = source_of(w, data, scales);
            out.rows += static_cast<int>(w.rows);
            out.columns = static_cast<int>(w.columns);
        }
        out.paired = paired;
        return out;
    }
    const g4k::bf16_bits* plain(const matrix_use& use) {
        void* to = allocate(packed_weight_bytes({}, use.rows, use.columns), bytes_.plain);
        if (is_as_stored(use.tensors)) {
            const weight& w = find(use.tensors[0]);
            uploader_->upload(to, w.data, data_of(w));
        } else {
            g4k::pack_args args = stage(use.tensors, use.paired);
            args.weights = to;
            launch(packing::bf16, args);
        }
        return static_cast<const g4k::bf16_bits*>(to);
    }
    void load(const matrix_use& use, device_matrix& m) {
        if (m.form.form == g4k::weight_form::plain_bf16) {
            m.plain = plain(use);
            m.packed = m.plain;
            return;
        }
        g4k::pack_args args = stage(use.tensors, use.paired);
        args.group = m.form.group;
        args.scale_type = m.form.scales;
        args.weights = allocate(packed_weight_bytes(m.form, m.rows, m.columns), bytes_.packed);
        args.scales = allocate(packed_scale_bytes(m.form, m.rows, m.columns), bytes_.packed);
        m.packed = args.weights;
        m.scales = args.scales;
        launch(packing::int4_words, args);
        launch(packing::int4_scales, args);
        if (!copies_) return;
        args.weights = allocate(packed_weight_bytes({}, m.rows, m.columns), bytes_.copies);
        launch(packing::bf16, args);
        m.plain = static_cast<const g4k::bf16_bits*>(args.weights);
    }

    /// A tensor that a linear reads too lies on the device once.
    static const matrix_use* matrix_of(const lowered_plan& lowered, const std::string& name) {
        for (const matrix_use& m : lowered.matrices)
            if (m.tensors.size() == 1 && m.tensors[0] == name) return &m;
        return nullptr;
    }
    const g4k::bf16_bits* table(const lowered_plan& lowered, const std::string& name) {
        const weight& w = find(name);
        if (const matrix_use* m = matrix_of(lowered, name))
            if (const auto* shared = matrices_[static_cast<std::size_t>(
                                                   m - lowered.matrices.data())].plain)
                return shared;
        return plain({{name}, false, w.rows, w.columns});
    }
    void load_vectors(const lowered_plan& lowered) {
        std::vector<float> values;
        std::map<bound_vector, std::size_t> offsets;
        for (const bound_vector& vector : lowered.vectors) {
            const weight& w = find(vector.tensor);
            offsets[vector] = values.size();
            for (std::int64_t i = 0; i < w.rows * w.columns; ++i)
                values.push_back(element_to_float(w.data, w.type, static_cast<std::size_t>(i)) +
                                 vector.added);
            values.resize((values.size() + 3) / 4 * 4);
        }
        auto* to = static_cast<float*>(
            allocate(values.size() * sizeof(float), bytes_.vectors));
        uploader_->upload(to, values.data(), values.size() * sizeof(float));
        for (const auto& [vector, offset] : offsets) vectors_[vector] = to + offset;
    }

    device device_;
    const stream& order_;
    const weight_table& weights_;
    kernel_set& kernels_;
    bool copies_;
    std::vector<device_matrix> matrices_;
    std::vector<const g4k::bf16_bits*> tables_;
    std::vector<std::int64_t> table_strides_;
    std::map<bound_vector, const float*> vectors_;
    std::vector<device_buffer> memory_;
    device_buffer staging_;
    std::size_t reported_ = 0;
    uploader* uploader_ = nullptr;
    weight_sizes bytes_;
};

}  // namespace g4::cuda
