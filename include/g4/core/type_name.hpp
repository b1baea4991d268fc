// The names of types as text: an axis is known by the name of its type.
#pragma once
#include "g4/core/text.hpp"
#include <string>
#include <string_view>

namespace g4 {

/// The name of a type without "g4::", which GCC leaves out and Clang prints.
template <class T> constexpr std::string_view type_name() {
    constexpr std::string_view whole = __PRETTY_FUNCTION__;
    constexpr std::size_t begin = whole.find("T = ") + 4;
    constexpr std::size_t end = whole.find_first_of(";]", begin);
    constexpr std::string_view name = whole.substr(begin, end - begin);
    return name.starts_with("g4::") ? name.substr(4) : name;
}

template <class Name> constexpr text make_name() {
    static_assert(type_name<Name>().size() < sizeof text{}.chars, "g4: name of a type too long");
    return text{type_name<Name>()};
}
template <class Name> inline constexpr text name_of = make_name<Name>();

/// The type's name without the namespace that it lives in: decoder_layer<local, kv::own>.
template <class T> std::string short_name() {
    std::string name{type_name<T>()};
    const std::string home = name.substr(0, name.rfind("::", name.find('<')) + 2);
    for (const std::string& prefix : {std::string{"g4::"}, home})
        for (auto at = name.find(prefix); !prefix.empty() && at != name.npos;
             at = name.find(prefix))
            name.erase(at, prefix.size());
    return name;
}

/// The last component of a qualified name: head_dim of gemma4::local::head_dim.
constexpr std::string_view last_component(const text& name) {
    const std::size_t at = name.view().rfind("::");
    return at == std::string_view::npos ? name.view() : name.view().substr(at + 2);
}

}  // namespace g4
