// Gemma 4 as the programs see it: its name in config.json, its config, its weights, its chat.
#pragma once
#include "models/gemma4/chat.hpp"
#include "models/gemma4/checkpoint.hpp"
#include "models/gemma4/model.hpp"
#include "models/gemma4/read_config.hpp"
#include <array>
#include <memory>

namespace g4::gemma4 {

struct family {
    using model = text_model;
    static constexpr std::array<std::string_view, 2> model_types{"gemma4", "gemma4_text"};

    static text_config read_config(const boost::json::value& file, const std::string& where) {
        return read_text_config(file, where);
    }
    static weight_name_rules weight_names(const text_config& c) {
        return gemma4::weight_names(c);
    }
    static std::unique_ptr<chat_template> chat_template_of(std::string_view jinja) {
        return make_chat_template(jinja);
    }
    static std::unique_ptr<chat_template> builtin_chat_template() {
        return gemma4::builtin_chat_template();
    }
    static constexpr std::int64_t default_positions = 131072;  // the class's default
};

}  // namespace g4::gemma4
