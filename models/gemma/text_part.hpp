// The text config within a parsed config.json, of text models and of whole ones alike.
#pragma once
#include "g4/core/config_json.hpp"
#include "models/gemma/layer_kind.hpp"

namespace g4::gemma {

/// text_config where the file has one, else the file itself.
///   where  the file, for messages; names text_config from here on where that is taken
/// Errors: input_error for anything but an object.
inline boost::json::object text_part(const boost::json::value& file, std::string& where) {
    if (!file.is_object()) throw input_error{where, ": expected an object, got ", brief(file)};
    const boost::json::value* found = file.get_object().if_contains("text_config");
    if (found != nullptr) where += ": text_config";
    const boost::json::value& given = found != nullptr ? *found : file;
    if (!given.is_object()) throw input_error{where, ": expected an object, got ", brief(given)};
    return given.get_object();
}

/// layer_types of a file that leaves them out.
inline boost::json::array default_layer_types(const boost::json::object& text, int period,
                                              const std::string& where) {
    int layers = 0;
    if (const auto* count = text.if_contains("num_hidden_layers"))
        read_config(*count, layers, where + ": num_hidden_layers");
    boost::json::array out;
    for (const layer_kind kind : layer_pattern(period, std::min(layers, 128)))
        out.emplace_back(spellings(kind)[static_cast<std::size_t>(kind)]);
    return out;
}

}  // namespace g4::gemma
