/* learn/bpe_tables.h - what training and encoding look things up in: distinct words, pairs of
 * token ids, and a queue of what to do next. */
#ifndef ICL_LEARN_BPE_TABLES_H
#define ICL_LEARN_BPE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

/* --- distinct byte strings, numbered in the order of their first coming --- */

typedef struct icl_word_table {
    char *bytes; /* the words, each followed by NUL */
    size_t byte_count, byte_capacity;
    size_t *starts; /* [count + 1], in bytes */
    size_t count, start_capacity;
    struct icl_word_slot {
        uint32_t hash;
        uint32_t number; /* index + 1; 0: free */
    } * slots;
    size_t slot_count; /* a power of two, at most half of it taken */
} icl_word_table;

void icl_word_table_deinit(icl_word_table *table);
/* SIZE_MAX: not there. */
size_t icl_word_table_find(const icl_word_table *table, const char *word, size_t length);
/* The word's index, old or new (then it is count - 1). ICL_ENOMEM. */
icl_status icl_word_table_add(size_t *out_index, icl_word_table *table, const char *word,
                              size_t length);
/* Followed by NUL. Borrowed until the next add. */
const char *icl_word_table_at(const icl_word_table *table, size_t index, size_t *out_length);

/* --- a number for each pair of token ids --- */

typedef struct icl_pair {
    int32_t left, right;
} icl_pair;

typedef struct icl_pair_table {
    struct icl_pair_slot {
        uint64_t key;
        uint32_t value;
        bool taken;
    } * slots;
    size_t slot_count, count;
} icl_pair_table;

uint64_t icl_pair_key(icl_pair pair); /* ordered as (left, right) */
icl_pair icl_pair_of_key(uint64_t key);

void icl_pair_table_deinit(icl_pair_table *table);
/* UINT32_MAX: not there. */
uint32_t icl_pair_table_find(const icl_pair_table *table, icl_pair pair);
/* Where the pair's value stands; a new pair has `fallback`. NULL: out of memory. Borrowed until the
 * next call. */
uint32_t *icl_pair_table_at(icl_pair_table *table, icl_pair pair, uint32_t fallback);

/* --- priority queue: the smallest (first, second) comes out first --- */

typedef struct icl_heap_entry {
    uint64_t first, second;
    uint64_t value;
} icl_heap_entry;

typedef struct icl_heap {
    icl_heap_entry *items;
    size_t count, capacity;
} icl_heap;

void icl_heap_deinit(icl_heap *heap);
icl_status icl_heap_push(icl_heap *heap, icl_heap_entry entry);
icl_heap_entry icl_heap_pop(icl_heap *heap); /* not of an empty one */

#endif
