// Writes the declarations of tools into the system turn.
// Source: the macros format_parameters and format_function_declaration of the published templates,
// April and July 2026. Both leave out what they do not know of JSON schema.
#pragma once
#include "models/gemma4/chat_argument.hpp"
#include <algorithm>
#include <array>
#include <string_view>

namespace g4::gemma4 {

namespace detail {

/// One `{…}` of a property: its fields with commas where the edition puts them.
class property_writer {
  public:
    property_writer(chat_pieces& to, chat_edition of) : out{to}, edition{of} {}

    /// name:{…},name:{…}; `only_unknown` leaves out the names that a schema itself uses.
    void write_properties(const chat_value& properties, bool only_unknown) {
        static constexpr std::array<std::string_view, 5> of_a_schema{
            "description", "type", "properties", "required", "nullable"};
        comma_before comma{out};
        for (const auto& [name, property] : properties.sorted_members()) {
            if (only_unknown && std::ranges::count(of_a_schema, name)) continue;
            comma.next();
            out.text(name);
            out.markup(":{");
            write_property(property);
        }
    }

  private:
    bool july() const { return edition == chat_edition::july_2026; }

    /// The fields of one property, then its type and the closing brace.
    void write_property(const chat_value& property) {
        bool any = false;  // a field stands there: the next one needs a comma
        const auto separate = [&] {
            if (std::exchange(any, true)) out.markup(",");
        };
        if (const chat_value description = property["description"]; description.truthy()) {
            out.markup("description:");
            write_quoted(out, description.text());
            any = true;
        }
        const auto write_nullable = [&] {
            if (!property["nullable"].truthy()) return;
            separate();
            out.markup("nullable:true");
        };
        const std::string type = property["type"].upper();
        if (!july()) write_nullable();
        if (type == "STRING" && property["enum"].truthy()) {
            separate();
            out.markup("enum:");
            write_argument(out, property["enum"], chat_keys::quoted, edition);
        }
        // April's lists and objects write their comma whether or not anything stands before it
        const auto separate_nested = [&] { july() ? separate() : out.markup(","); };
        if (type == "ARRAY" && property["items"].is_mapping() && property["items"].truthy()) {
            separate_nested();
            write_items(property["items"]);
        }
        if (july()) write_nullable();
        if (type == "OBJECT") {
            separate_nested();
            const chat_value nested = property["properties"];
            out.markup("properties:{");
            write_properties(nested.is_mapping() ? nested : property,
                             !july() || !nested.is_mapping());
            out.markup("}");
            if (const chat_value required = property["required"]; required.truthy()) {
                separate_nested();
                write_required(required);
            }
        }
        separate();
        out.markup("type:");
        write_quoted(out, type);
        out.markup("}");
    }

    void write_required(const chat_value& names) {
        out.markup("required:[");
        write_quoted_list(out, names.iterated_texts());
        out.markup("]");
    }

    /// What the elements of a list are: any keyword of JSON schema is written here.
    void write_items(const chat_value& items) {
        out.markup("items:{");
        comma_before comma{out};
        for (const auto& [key, value] : items.sorted_members()) {
            if (value.is_none()) continue;
            comma.next();
            if (key == "properties") {
                out.markup("properties:{");
                if (value.is_mapping()) write_properties(value, !july());
                out.markup("}");
            } else if (key == "required") {
                write_required(value);
            } else if (key == "type") {
                out.markup("type:");
                write_items_type(value);
            } else {
                out.text(key);
                out.markup(":");
                write_argument(out, value, chat_keys::quoted, edition);
            }
        }
        out.markup("}");
    }

    void write_items_type(const chat_value& type) {
        if (type.is_string()) return write_quoted(out, type.upper());
        std::vector<std::string> names = type.iterated_texts();
        for (std::string& name : names) name = upper_case(name);
        out.markup("[");
        write_quoted_list(out, names);
        out.markup("]");
    }

    chat_pieces& out;
    chat_edition edition;
};

/// declaration:NAME{description:…,parameters:{…},response:{…}}
inline void write_declaration(chat_pieces& out, const chat_value& function, chat_edition edition) {
    if (!function.is_mapping()) function.fail("an object");
    out.markup("declaration:");
    out.text(function["name"].text());
    out.markup("{description:");
    write_quoted(out, function["description"].text());
    if (const chat_value parameters = function["parameters"]; parameters.truthy()) {
        out.markup(",parameters:{");
        if (const chat_value properties = parameters["properties"]; properties.truthy()) {
            out.markup("properties:{");
            property_writer{out, edition}.write_properties(properties,
                                                           edition == chat_edition::april_2026);
            out.markup("},");
        }
        if (const chat_value required = parameters["required"]; required.truthy()) {
            out.markup("required:[");
            write_quoted_list(out, required.iterated_texts());
            out.markup("],");
        }
        // without a type the brace stays open, in the templates too
        if (const chat_value type = parameters["type"]; type.truthy()) {
            out.markup("type:");
            write_quoted(out, type.upper());
            out.markup("}");
        }
    }
    if (const chat_value response = function["response"]; response.is_defined()) {
        out.markup(",response:{");
        if (const chat_value description = response["description"]; description.truthy()) {
            out.markup("description:");
            write_quoted(out, description.text());
            out.markup(",");
        }
        if (const std::string type = response["type"].upper(); type == "OBJECT") {
            out.markup("type:");
            write_quoted(out, type);
            out.markup("}");
        }
    }
    out.markup("}");
}

}  // namespace detail

/// Every tool between its tokens.
/// Errors: input_error for a tool without a function, or a schema that is no object.
inline void write_tools(chat_pieces& out, const chat_value& tools, chat_edition edition) {
    for (const chat_value& tool : tools.items()) {
        out.markup("<|tool>");
        detail::write_declaration(out, tool["function"], edition);
        out.markup("<tool|>");
    }
}

}  // namespace g4::gemma4
