// The entries of a vocabulary by number and by text, in two flat tables.
#pragma once
#include <bit>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4 {

/// Texts by number, one behind the other in one block.
class text_list {
  public:
    void push_back(std::string_view text) {
        characters += text;
        ends.push_back(static_cast<std::uint32_t>(characters.size()));
    }

    std::int32_t size() const { return static_cast<std::int32_t>(ends.size()); }

    std::string_view operator[](std::int32_t id) const {
        const auto at = static_cast<std::size_t>(id);
        const std::size_t begin = at == 0 ? 0 : ends[at - 1];
        return std::string_view{characters}.substr(begin, ends[at] - begin);
    }

  private:
    std::string characters;
    std::vector<std::uint32_t> ends;
};

/// Entries 0 … size-1, each a text; every text belongs to at most one entry.
class vocabulary {
  public:
    vocabulary() = default;

    /// The texts in the order of their ids. They must differ from one another.
    explicit vocabulary(std::span<const std::string_view> list) {
        slots.resize(std::bit_ceil(list.size() * 2 + 2));
        for (const std::string_view text : list) {
            insert(text, static_cast<std::uint32_t>(texts.size()));
            texts.push_back(text);
        }
    }

    std::int32_t size() const { return texts.size(); }

    bool holds(std::int32_t id) const { return id >= 0 && id < size(); }

    /// The text of an entry that the vocabulary holds.
    std::string_view text(std::int32_t id) const { return texts[id]; }

    std::optional<std::int32_t> find(std::string_view wanted) const {
        if (slots.empty()) return std::nullopt;
        const std::uint64_t hash = std::hash<std::string_view>{}(wanted);
        const std::size_t mask = slots.size() - 1;
        for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
            const slot& here = slots[at];
            if (here.id_plus_one == 0) return std::nullopt;
            const auto id = static_cast<std::int32_t>(here.id_plus_one - 1);
            if (here.tag == tag_of(hash) && texts[id] == wanted) return id;
        }
    }

  private:
    struct slot {
        std::uint32_t tag = 0;  // the half of the hash that does not choose the slot
        std::uint32_t id_plus_one = 0;
    };

    static std::uint32_t tag_of(std::uint64_t hash) {
        return static_cast<std::uint32_t>(hash >> 32);
    }

    void insert(std::string_view text, std::uint32_t id) {
        const std::uint64_t hash = std::hash<std::string_view>{}(text);
        const std::size_t mask = slots.size() - 1;
        std::size_t at = hash & mask;
        while (slots[at].id_plus_one != 0) at = (at + 1) & mask;
        slots[at] = {tag_of(hash), id + 1};
    }

    text_list texts;
    std::vector<slot> slots;  // open addressing, at most half full
};

}  // namespace g4
