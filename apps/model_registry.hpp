// The models that the programs know. A new model is one line in `known_models`.
#pragma once
#include "g4/graph/bound_program.hpp"
#include "g4/text/chat.hpp"
#include "g4/weights/names.hpp"
#include "models/gemma3/family.hpp"
#include "models/gemma4/family.hpp"
#include <boost/hana.hpp>
#include <boost/json.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace g4::apps {

/// Families by the `model_type` of config.json.
inline constexpr auto known_models = hana::tuple_t<gemma4::family, gemma3::family>;

/// What the programs need of a model once its config is read; the model's types end here.
struct described_model {
    std::string type;
    bound_program program;
    weight_name_rules weight_names;
    std::int64_t max_position_embeddings = 0;
    // Null for families that know no chat template.
    std::unique_ptr<chat_template> (*chat_template_of)(std::string_view jinja) = nullptr;
    std::unique_ptr<chat_template> (*builtin_chat_template)() = nullptr;
};

/// Of the text model, where a whole one has a text_config; `otherwise` where the file is silent.
inline std::int64_t max_position_embeddings(const boost::json::value& file,
                                            std::int64_t otherwise) {
    const auto& object = file.get_object();
    const auto* text = object.if_contains("text_config");
    const auto& of = text != nullptr && text->is_object() ? text->get_object() : object;
    const auto* found = of.if_contains("max_position_embeddings");
    return found != nullptr && found->is_int64() ? found->get_int64() : otherwise;
}

template <class Family>
concept knows_chat = requires { Family::builtin_chat_template; };

template <class Family>
described_model describe(const boost::json::value& config, const std::string& where) {
    const auto read = Family::read_config(config, where);
    throw_unless_fit<typename Family::model>(read);
    described_model out{.type = "", .program = bind_program<typename Family::model>(read),
                        .weight_names = Family::weight_names(read)};
    out.max_position_embeddings = max_position_embeddings(config, Family::default_positions);
    if constexpr (knows_chat<Family>) {
        out.chat_template_of = Family::chat_template_of;
        out.builtin_chat_template = Family::builtin_chat_template;
    }
    return out;
}

/// The model that a parsed config.json asks for.
/// Errors: input_error naming the known model types, or what of the config does not fit.
inline described_model describe_model(const boost::json::value& config, const std::string& where) {
    std::string type, known;
    if (config.is_object())
        if (const auto* found = config.get_object().if_contains("model_type");
            found != nullptr && found->is_string())
            type = found->get_string();
    described_model out;
    bool taken = false;
    hana::for_each(known_models, [&](auto family) {
        using model_family = typename decltype(family)::type;
        for (const std::string_view name : model_family::model_types) {
            known += concat(known.empty() ? "" : ", ", name);
            if (name != type || taken) continue;
            taken = true;
            out = describe<model_family>(config, where);
        }
    });
    if (!taken)
        throw input_error{where, ": model_type: expected one of ", known, ", got ",
                          type.empty() ? std::string{"none"} : "\"" + type + "\""};
    out.type = type;
    return out;
}

}  // namespace g4::apps
