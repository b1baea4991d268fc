// Where the keys and values of a position lie in the paged cache.
#pragma once
#include "codegen/attention/config.hpp"

namespace g4k {

/// Keys and values of one kv head as one sequence sees them.
template <attention_config Config> struct page_reader {
    const char* base;  // keys of the kv head in page 0
    const int* pages;  // from the page of position 0 on, whether or not that one was freed
    long long page_bytes;

    /// From a key to the value of the same position, in elements.
    static constexpr int to_value = Config.kv_heads * Config.page_tokens * Config.head_dim;

    __device__ int page_of(int position) const { return pages[position / Config.page_tokens]; }
    /// The key of a position that lies in `page`.
    __device__ const bf16_bits* key(int page, int position) const {
        return reinterpret_cast<const bf16_bits*>(base + page * page_bytes) +
               position % Config.page_tokens * Config.head_dim;
    }
};

/// `pages`: where the sequence's list begins, had no page been freed.
template <attention_config Config>
__device__ page_reader<Config> reader_of(const step_tables& tables, const cache_args& cache,
                                         int pages, int kv_head) {
    return {cache.base + cache.layer_offset +
                static_cast<long long>(kv_head) * Config.page_tokens * Config.head_dim * 2,
            tables.pages + pages, cache.page_bytes};
}
template <attention_config Config>
__device__ page_reader<Config> pages_of(const step_tables& tables, const cache_args& cache,
                                        const sequence_entry& sequence, int kv_head) {
    return reader_of<Config>(
        tables, cache, sequence.first_page[cache.kind] - sequence.skipped[cache.kind], kv_head);
}

}  // namespace g4k
