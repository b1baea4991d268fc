// g4-quantize: a folder with plain weights becomes one with int4 linears, tensor by tensor.
#include "apps/quantize/folder_files.hpp"
#include "apps/quantize/options.hpp"
#include "apps/quantize/output_folder.hpp"
#include "apps/quantize/plan.hpp"
#include "apps/quantize/progress.hpp"
#include "apps/quantize/report.hpp"
#include <algorithm>
#include <cstdio>

namespace {
using namespace g4;

void put(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// The tensors of one file, each read, rounded and written before the next.
class file_writer {
  public:
    file_writer(const apps::quantize_options& options, apps::progress& progress,
                apps::error_report& report)
        : options_{options}, progress_{progress}, report_{report} {}

    void write(const std::filesystem::path& folder, const apps::planned_file& file) {
        std::vector<tensor_form> forms;
        for (const apps::planned_tensor& tensor : file.tensors)
            forms.insert(forms.end(), tensor.parts.begin(), tensor.parts.end());
        safetensors_output out{folder / file.name, std::move(forms)};
        for (const apps::planned_tensor& tensor : file.tensors) {
            if (tensor.linear != nullptr) round(out, tensor);
            else copy(out, tensor);
            progress_.tensor_done();
        }
        out.finish();
    }

  private:
    void copy(safetensors_output& out, const apps::planned_tensor& tensor) {
        constexpr std::size_t piece_bytes = std::size_t{64} << 20;
        for (std::span<const std::byte> left = tensor.source->data; !left.empty();) {
            const auto piece = left.first(std::min(left.size(), piece_bytes));
            out.write(tensor.source->name, piece);
            release_pages(piece);
            progress_.read(piece.size());
            left = left.subspan(piece.size());
        }
    }
    void round(safetensors_output& out, const apps::planned_tensor& tensor) {
        const int4_linear linear = quantize_linear(
            *tensor.linear, concat(tensor.source->file, ": ", tensor.source->name), options_.group,
            options_.search ? int4_rounding::search : int4_rounding::plain, options_.threads);
        release_pages(tensor.source->data);
        const std::string module = tensor.module();
        const auto columns = static_cast<std::size_t>(tensor.linear->columns);
        const std::vector<std::uint32_t> zeros(linear.scales.size() / 8, 0x77777777u);  // 8 - 1
        out.write(module + ".qweight", std::as_bytes(std::span{linear.words}));
        out.write(module + ".qzeros", std::as_bytes(std::span{zeros}));
        out.write(module + ".scales", std::as_bytes(std::span{linear.scales}));
        if (options_.layout == apps::int4_layout::gptq) {
            std::vector<std::int32_t> order(columns);
            for (std::size_t k = 0; k < columns; ++k)
                order[k] = static_cast<std::int32_t>(k) / options_.group;
            out.write(module + ".g_idx", std::as_bytes(std::span{order}));
        }
        report_.add(module, tensor.linear->rows, tensor.linear->columns, linear);
        progress_.read(tensor.source->data.size());
    }

    const apps::quantize_options& options_;
    apps::progress& progress_;
    apps::error_report& report_;
};

/// Config and index come last: without them a folder is none that loaders take.
void write_configs(const std::filesystem::path& folder, const apps::model_config_file& config,
                   const apps::quantize_plan& plan, const apps::quantize_options& options) {
    const boost::json::object quantization = apps::quantization_config_of(plan, options);
    const char* beside = options.layout == apps::int4_layout::gptq ? "quantize_config.json"
                                                                   : "quantization_config.json";
    apps::detail::write_file(folder / beside, apps::detail::indented(quantization) + "\n");
    if (plan.files.size() > 1)
        apps::detail::write_file(folder / "model.safetensors.index.json", apps::index_of(plan));
    apps::detail::write_file(folder / "config.json", apps::config_with(config, quantization));
}

void require_space(const std::filesystem::path& folder, std::uint64_t bytes) {
    std::error_code failed;
    const auto space = std::filesystem::space(folder, failed);
    if (!failed && space.available < bytes)
        throw input_error{folder.string(),
                          ": expected ",
                          apps::size_text(bytes),
                          " of free disk, got ",
                          apps::size_text(space.available),
                          "; free some, or write to another disk"};
}

void run(const apps::quantize_options& options) {
    const logger log{[](log_level, const std::string& line) {
        std::fprintf(stderr, "g4-quantize: %s\n", line.c_str());
    }};
    const apps::model_config_file config = apps::read_model_config(options.model_folder);
    apps::refuse_quantized(config);
    apps::output_folder out{options.output, options.model_folder, options.overwrite};
    const apps::loaded_weights loaded = apps::load_weights(config, log);
    for (const stored_tensor& tensor : loaded.files->tensors()) release_pages(tensor.data);
    const apps::quantize_plan plan = apps::plan_quantization(config, loaded, options, log);
    require_space(out.path(), plan.written_bytes);
    log.info("rounds ", plan.rounded, " of ", loaded.files->tensors().size(), " tensors, ",
             apps::size_text(plan.read_bytes), " to ", apps::size_text(plan.written_bytes), " in ",
             plan.files.size(), plan.files.size() == 1 ? " file" : " files");
    apps::progress progress{loaded.files->tensors().size(), plan.read_bytes, log};
    apps::error_report report;
    file_writer writer{options, progress, report};
    for (const apps::planned_file& file : plan.files) writer.write(out.path(), file);
    apps::carry_over_files(config.folder, out.path(), apps::replaced_files(config, *loaded.files),
                           log);
    write_configs(out.path(), config, plan, options);
    if (!options.report.empty())
        apps::detail::write_file(
            options.report,
            concat("relative error, overall ", apps::error_report::percent(report.overall()), "\n",
                   report.table()));
    out.publish();

    log.info("wrote ", options.output, " in ", fixed(progress.seconds(), 1), " s");
    put(concat("relative error of the rounded linears, the worst ones of ", report.size(), "\n",
               report.table(10), "overall ", apps::error_report::percent(report.overall()), "\n"));
}
}  // namespace

int main(int argc, char** argv) try {
    const auto options = g4::apps::parse_quantize_options({argv + 1, argv + std::max(argc, 1)});
    if (options.help) put(std::string{g4::apps::quantize_help});
    else run(options);
    return 0;
} catch (const g4::input_error& error) {
    std::fprintf(stderr, "g4-quantize: %s\n", error.what());
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "g4-quantize: %s\n", error.what());
    return 1;
}
