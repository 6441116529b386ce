#include "learn/bpe_tables.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/hash.h"

/* ---- words ---- */

typedef struct icl_word_slot word_slot;

void icl_word_table_deinit(icl_word_table *table)
{
    free(table->bytes);
    free(table->starts);
    free(table->slots);
    *table = (icl_word_table){ 0 };
}

static uint32_t hash_of(const char *word, size_t length)
{
    return (uint32_t)icl_hash(word, length).low;
}

/* The slot that holds the word, or the free one where it belongs. */
static word_slot *slot_of_word(const icl_word_table *table, const char *word, size_t length,
                               uint32_t hash)
{
    const size_t mask = table->slot_count - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        word_slot *slot = &table->slots[at];
        if (slot->number == 0) return slot;
        if (slot->hash != hash) continue;
        size_t other_length = 0;
        const char *other = icl_word_table_at(table, slot->number - 1, &other_length);
        if (other_length == length && memcmp(other, word, length) == 0) return slot;
    }
}

static icl_status widen_words(icl_word_table *table)
{
    const size_t wider = table->slot_count == 0 ? 64 : table->slot_count * 2;
    word_slot *slots = calloc(wider, sizeof *slots);
    if (slots == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a table of words");
    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].number == 0) continue;
        size_t at = table->slots[i].hash & (wider - 1);
        while (slots[at].number != 0) at = (at + 1) & (wider - 1);
        slots[at] = table->slots[i];
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = wider;
    return ICL_OK;
}

size_t icl_word_table_find(const icl_word_table *table, const char *word, size_t length)
{
    if (table->count == 0) return SIZE_MAX;
    const word_slot *slot = slot_of_word(table, word, length, hash_of(word, length));
    return slot->number == 0 ? SIZE_MAX : slot->number - 1;
}

icl_status icl_word_table_add(size_t *out_index, icl_word_table *table, const char *word,
                              size_t length)
{
    if (table->count * 2 >= table->slot_count) ICL_TRY(widen_words(table));
    const uint32_t hash = hash_of(word, length);
    word_slot *slot = slot_of_word(table, word, length, hash);
    if (slot->number != 0) {
        *out_index = slot->number - 1;
        return ICL_OK;
    }
    if (table->count == UINT32_MAX - 1)
        return icl_error_set(ICL_ENOMEM, "more than %zu different words", table->count);
    const size_t end = table->byte_count + length + 1;
    ICL_TRY(icl_array_reserve(&table->bytes, &table->byte_capacity, end));
    ICL_TRY(icl_array_reserve(&table->starts, &table->start_capacity, table->count + 2));
    if (length > 0) memcpy(table->bytes + table->byte_count, word, length);
    table->bytes[end - 1] = '\0';
    table->starts[table->count] = table->byte_count;
    table->starts[table->count + 1] = end;
    table->byte_count = end;
    *out_index = table->count++;
    *slot = (word_slot){ .hash = hash, .number = (uint32_t)table->count };
    return ICL_OK;
}

const char *icl_word_table_at(const icl_word_table *table, size_t index, size_t *out_length)
{
    assert(index < table->count);
    if (out_length != NULL) *out_length = table->starts[index + 1] - table->starts[index] - 1;
    return table->bytes + table->starts[index];
}

/* ---- pairs ---- */

typedef struct icl_pair_slot pair_slot;

uint64_t icl_pair_key(icl_pair pair)
{
    return (uint64_t)(uint32_t)pair.left << 32 | (uint32_t)pair.right;
}

icl_pair icl_pair_of_key(uint64_t key)
{
    return (icl_pair){ (int32_t)(key >> 32), (int32_t)(key & UINT32_MAX) };
}

void icl_pair_table_deinit(icl_pair_table *table)
{
    free(table->slots);
    *table = (icl_pair_table){ 0 };
}

static pair_slot *slot_of_pair(const icl_pair_table *table, uint64_t key)
{
    const size_t mask = table->slot_count - 1;
    const uint64_t mixed = (key ^ key >> 29) * UINT64_C(0x9E3779B97F4A7C15);
    for (size_t at = (size_t)(mixed >> 32) & mask;; at = (at + 1) & mask)
        if (!table->slots[at].taken || table->slots[at].key == key) return &table->slots[at];
}

static bool widen_pairs(icl_pair_table *table)
{
    icl_pair_table wider = { .slot_count = table->slot_count == 0 ? 64 : table->slot_count * 2,
                             .count = table->count };
    wider.slots = calloc(wider.slot_count, sizeof *wider.slots);
    if (wider.slots == NULL) return false;
    for (size_t i = 0; i < table->slot_count; i++)
        if (table->slots[i].taken) *slot_of_pair(&wider, table->slots[i].key) = table->slots[i];
    free(table->slots);
    *table = wider;
    return true;
}

uint32_t icl_pair_table_find(const icl_pair_table *table, icl_pair pair)
{
    if (table->count == 0) return UINT32_MAX;
    const pair_slot *slot = slot_of_pair(table, icl_pair_key(pair));
    return slot->taken ? slot->value : UINT32_MAX;
}

uint32_t *icl_pair_table_at(icl_pair_table *table, icl_pair pair, uint32_t fallback)
{
    if (table->count * 2 >= table->slot_count && !widen_pairs(table)) {
        icl_error_set(ICL_ENOMEM, "out of memory for a table of pairs");
        return NULL;
    }
    const uint64_t key = icl_pair_key(pair);
    pair_slot *slot = slot_of_pair(table, key);
    if (!slot->taken) {
        *slot = (pair_slot){ .key = key, .value = fallback, .taken = true };
        table->count++;
    }
    return &slot->value;
}

/* ---- queue ---- */

void icl_heap_deinit(icl_heap *heap)
{
    free(heap->items);
    *heap = (icl_heap){ 0 };
}

static bool comes_before(const icl_heap_entry *a, const icl_heap_entry *b)
{
    return a->first != b->first ? a->first < b->first : a->second < b->second;
}

icl_status icl_heap_push(icl_heap *heap, icl_heap_entry entry)
{
    ICL_TRY(icl_array_reserve(&heap->items, &heap->capacity, heap->count + 1));
    size_t at = heap->count++;
    for (size_t parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        if (!comes_before(&entry, &heap->items[parent])) break;
        heap->items[at] = heap->items[parent];
    }
    heap->items[at] = entry;
    return ICL_OK;
}

icl_heap_entry icl_heap_pop(icl_heap *heap)
{
    assert(heap->count > 0);
    const icl_heap_entry top = heap->items[0];
    const icl_heap_entry moved = heap->items[--heap->count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && comes_before(&heap->items[child + 1], &heap->items[child]))
            child++;
        if (!comes_before(&heap->items[child], &moved)) break;
        heap->items[at] = heap->items[child];
    }
    heap->items[at] = moved;
    return top;
}
