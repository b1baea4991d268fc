// Uses an installed g4 as another project would: includes, compiles, links, runs.
#include "g4/core/error.hpp"
#include <iostream>

int main() {
    try {
        throw g4::input_error{"consumer: expected ", 2, ", got ", 1};
    } catch (const g4::input_error& error) {
        std::cout << error.what() << '\n';
        return error.what() == std::string_view{"consumer: expected 2, got 1"} ? 0 : 1;
    }
}
