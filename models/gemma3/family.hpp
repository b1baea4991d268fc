// Gemma 3 as the programs see it: its name in config.json, its config, its weights. Its chat
// template is not known here: such folders serve completions.
#pragma once
#include "models/gemma3/checkpoint.hpp"
#include "models/gemma3/model.hpp"
#include "models/gemma3/read_config.hpp"

namespace g4::gemma3 {

struct family {
    using model = text_model;
    static constexpr std::array<std::string_view, 2> model_types{"gemma3_text", "gemma3"};

    static text_config read_config(const boost::json::value& file, const std::string& where) {
        return read_text_config(file, where);
    }
    static weight_name_rules weight_names(const text_config&) { return gemma3::weight_names(); }
    static constexpr std::int64_t default_positions = 131072;  // the class's default
};

}  // namespace g4::gemma3
