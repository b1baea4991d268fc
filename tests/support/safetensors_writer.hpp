// Writes small safetensors files for tests: right ones, and ones with a single chosen fault.
#pragma once
#include "g4/core/dtype.hpp"
#include "g4/core/error.hpp"
#include "g4/weights/safetensors_output.hpp"
#include <bit>
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace g4::testing {

/// A folder of its own under the system's temporary one, gone at the end of the scope.
class scratch_folder {
  public:
    scratch_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "g4_test_XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw input_error{name, ": cannot be made"};
        path_ = name;
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    ~scratch_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

inline void write_text(const std::filesystem::path& file, std::string_view bytes) {
    std::ofstream out{file, std::ios::binary | std::ios::trunc};
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) throw input_error{file.string(), ": cannot be written"};
}

/// The eight bytes of length, the header, the data.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
    std::string out;
    for (int i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> 8 * i & 255);
    return out.append(header).append(data);
}

struct written_tensor {
    std::string name, type;
    std::vector<std::int64_t> shape;
    std::string data;
};

/// Tensors by name, in the order in which their data lies.
class safetensors_writer {
  public:
    /// Adds a tensor, or replaces the one of that name.
    void set(std::string name, std::string type, std::vector<std::int64_t> shape,
             std::string data) {
        erase(name);
        tensors_.push_back({std::move(name), std::move(type), std::move(shape), std::move(data)});
    }
    template <class T>
    void set(std::string name, std::string type, std::vector<std::int64_t> shape,
             const std::vector<T>& elements) {
        std::string data(elements.size() * sizeof(T), '\0');
        std::memcpy(data.data(), elements.data(), data.size());
        set(std::move(name), std::move(type), std::move(shape), std::move(data));
    }
    /// Distinct finite numbers, the same for the same seed.
    void set_plain(std::string name, dtype type, std::vector<std::int64_t> shape,
                   std::uint32_t seed = 1) {
        std::size_t count = 1;
        for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
        std::string data;
        for (std::size_t i = 0; i < count; ++i) {
            seed = seed * 1664525u + 1013904223u;
            const float value = static_cast<float>(seed >> 16) / 65536.0f - 0.5f;
            const std::uint32_t bits = type == dtype::f32    ? std::bit_cast<std::uint32_t>(value)
                                       : type == dtype::bf16 ? float_to_bf16(value)
                                                             : float_to_f16(value);
            data.append(reinterpret_cast<const char*>(&bits),
                        static_cast<std::size_t>(bytes_of(type)));
        }
        set(std::move(name), std::string{name_of_dtype(type)}, std::move(shape), std::move(data));
    }
    /// qweight, scales and qzeros of a linear, as AutoRound and GPTQ v1 (stored_zero 7) write them.
    void set_int4(const std::string& module, std::int64_t rows, std::int64_t columns,
                  std::int64_t group, std::uint32_t stored_zero = 7) {
        const std::int64_t groups = (columns + group - 1) / group;
        std::vector<std::uint32_t> words(static_cast<std::size_t>(rows * columns / 8));
        for (std::size_t i = 0; i < words.size(); ++i)
            words[i] = static_cast<std::uint32_t>(i) * 2654435761u;
        std::vector<std::uint16_t> scales(static_cast<std::size_t>(groups * rows));
        for (std::size_t i = 0; i < scales.size(); ++i)  // both signs, the last one subnormal
            scales[i] = float_to_f16((i % 2 == 0 ? 0.01f : -0.02f) / static_cast<float>(i % 7 + 1));
        scales.back() = 0x0155;
        const std::vector<std::uint32_t> zeros(static_cast<std::size_t>(groups * rows / 8),
                                               0x11111111u * stored_zero);
        set(module + ".qweight", "I32", {columns / 8, rows}, words);
        set(module + ".scales", "F16", {groups, rows}, scales);
        set(module + ".qzeros", "I32", {groups, rows / 8}, zeros);
    }
    void set_group_index(const std::string& module, std::int64_t columns, std::int64_t group) {
        std::vector<std::int32_t> index;
        for (std::int64_t k = 0; k < columns; ++k)
            index.push_back(static_cast<std::int32_t>(k / group));
        set(module + ".g_idx", "I32", {columns}, index);
    }
    void erase(std::string_view name) {
        std::erase_if(tensors_, [&](const written_tensor& tensor) { return tensor.name == name; });
    }
    void rename(std::string_view from, std::string to) {
        for (written_tensor& tensor : tensors_)
            if (tensor.name == from) tensor.name = to;
    }
    written_tensor& operator[](std::string_view name) {
        for (written_tensor& tensor : tensors_)
            if (tensor.name == name) return tensor;
        throw internal_error{"safetensors_writer: no tensor ", name};
    }
    const std::vector<written_tensor>& tensors() const& { return tensors_; }
    void tensors() && = delete;  // a loop over them would outlive them

    /// The header as text; a test may change it and join it with data() itself.
    boost::json::object header() const {
        std::vector<tensor_form> forms;
        for (const written_tensor& tensor : tensors_)
            forms.push_back({tensor.name, tensor.type, tensor.shape, tensor.data.size()});
        return safetensors_header(forms);
    }
    std::string data() const {
        std::string out;
        for (const written_tensor& tensor : tensors_) out += tensor.data;
        return out;
    }
    /// Padded with spaces to a multiple of 8, as the format's own library does.
    std::string bytes() const {
        std::string text = boost::json::serialize(header());
        text.resize((text.size() + 7) / 8 * 8, ' ');
        return safetensors_bytes(text, data());
    }
    void write(const std::filesystem::path& file) const { write_text(file, bytes()); }

  private:
    std::vector<written_tensor> tensors_;
};

/// What an action throws as input_error, or "no error".
template <class Action> std::string input_error_of(Action&& action) {
    try {
        action();
    } catch (const input_error& caught) {
        return caught.what();
    }
    return "no error";
}

}  // namespace g4::testing
