#include "engine/trie.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"

/* Open-addressing table from (parent, token) to child, used only while building. */
typedef struct edge_table {
    uint32_t *slots; /* node index, or TRIE_NONE */
    size_t capacity; /* power of two */
    size_t used;
} edge_table;

typedef struct trie_builder {
    icl_trie trie;
    edge_table edges;
} trie_builder;

static size_t edge_hash(uint32_t parent, int32_t token)
{
    uint64_t key = (uint64_t)parent << 32 | (uint32_t)token;
    key ^= key >> 33;
    key *= 0xFF51AFD7ED558CCDu;
    key ^= key >> 33;
    key *= 0xC4CEB9FE1A85EC53u;
    return (size_t)(key ^ key >> 33);
}

/* Slot of the edge, or the empty slot where it belongs. */
static uint32_t *edge_slot(const trie_builder *builder, uint32_t parent, int32_t token)
{
    const size_t mask = builder->edges.capacity - 1;
    for (size_t at = edge_hash(parent, token) & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &builder->edges.slots[at];
        if (*slot == TRIE_NONE) return slot;
        const trie_node *node = &builder->trie.nodes[*slot];
        if (node->parent == parent && node->token == token) return slot;
    }
}

static icl_status edges_reserve(trie_builder *builder)
{
    edge_table *edges = &builder->edges;
    if (edges->capacity > 0 && (edges->used + 1) * 3 < edges->capacity * 2) return ICL_OK;
    const edge_table old = *edges;
    const size_t capacity = old.capacity == 0 ? 1024 : old.capacity * 2;
    uint32_t *slots = malloc(capacity * sizeof *slots);
    if (slots == NULL) return icl_error_set(ICL_ENOMEM, "out of memory while building the trie");
    memset(slots, 0xFF, capacity * sizeof *slots);
    *edges = (edge_table){ .slots = slots, .capacity = capacity, .used = old.used };
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.slots[i] == TRIE_NONE) continue;
        const trie_node *node = &builder->trie.nodes[old.slots[i]];
        *edge_slot(builder, node->parent, node->token) = old.slots[i];
    }
    free(old.slots);
    return ICL_OK;
}

static icl_status add_node(trie_builder *builder, uint32_t parent, int32_t token, uint32_t *out)
{
    icl_trie *trie = &builder->trie;
    if (trie->node_count >= INT32_MAX)
        return icl_error_set(ICL_EINVAL, "the batch holds more than %d distinct tokens", INT32_MAX);
    ICL_TRY(icl_array_reserve(&trie->nodes, &trie->node_capacity, trie->node_count + 1));
    const uint32_t depth = trie->node_count == 0 ? 0 : trie->nodes[parent].depth + 1;
    trie->nodes[trie->node_count] =
        (trie_node){ .token = token, .parent = parent, .depth = depth, .ask_first = TRIE_NONE };
    *out = (uint32_t)trie->node_count++;
    return ICL_OK;
}

/* Walks `count` tokens down from `node`, adding what is missing. */
static icl_status insert(trie_builder *builder, uint32_t *node, const int32_t *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ICL_TRY(edges_reserve(builder));
        uint32_t *slot = edge_slot(builder, *node, tokens[i]);
        if (*slot == TRIE_NONE) {
            ICL_TRY(add_node(builder, *node, tokens[i], slot));
            builder->edges.used++;
        }
        *node = *slot;
    }
    return ICL_OK;
}

static icl_status add_ask(icl_trie *trie, uint32_t node, size_t request, size_t place)
{
    ICL_TRY(icl_array_reserve(&trie->asks, &trie->ask_capacity, trie->ask_count + 1));
    trie->asks[trie->ask_count] = (trie_ask){ .request = (uint32_t)request,
                                              .place = (uint32_t)place,
                                              .next = trie->nodes[node].ask_first };
    trie->nodes[node].ask_first = (uint32_t)trie->ask_count++;
    return ICL_OK;
}

static icl_status insert_request(trie_builder *builder, const icl_batch *batch, size_t index,
                                 uint32_t prefix_node)
{
    const icl_request *request = &batch->requests[index];
    uint32_t node = prefix_node;
    ICL_TRY(add_ask(&builder->trie, node, index, 0));
    builder->trie.nodes[node].hidden |= request->kind == REQUEST_HIDDEN;
    for (size_t i = 1; i < request->count; i++) {
        ICL_TRY(insert(builder, &node, batch->tokens + request->first + i - 1, 1));
        ICL_TRY(add_ask(&builder->trie, node, index, i));
    }
    return ICL_OK;
}

static icl_status insert_batch(trie_builder *builder, const icl_batch *batch,
                               uint32_t *prefix_nodes)
{
    uint32_t root;
    ICL_TRY(add_node(builder, TRIE_NONE, -1, &root));
    for (size_t p = 0; p < batch->prefix_count; p++) prefix_nodes[p] = TRIE_NONE;
    for (size_t r = 0; r < batch->request_count; r++) {
        const icl_request *request = &batch->requests[r];
        if (request->answered) continue;
        uint32_t *node = &prefix_nodes[request->prefix];
        if (*node == TRIE_NONE) {
            const prefix_span *span = &batch->prefixes[request->prefix];
            uint32_t end = TRIE_ROOT;
            ICL_TRY(insert(builder, &end, batch->tokens + span->first, span->count));
            *node = end;
        }
        ICL_TRY(insert_request(builder, batch, r, *node));
    }
    return ICL_OK;
}

static void sort_children(const trie_node *nodes, uint32_t *children, size_t count);

/* Children lists in ascending token order, and the counts that planning needs. */
static icl_status finish(icl_trie *trie)
{
    const size_t count = trie->node_count;
    trie->children = malloc((count > 1 ? count - 1 : 1) * sizeof *trie->children);
    if (trie->children == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory while building the trie");
    trie_node *nodes = trie->nodes;
    for (size_t i = count; i-- > 1;) {
        trie_node *node = &nodes[i], *parent = &nodes[node->parent];
        node->subtree_size += 1;
        if (node->child_count == 0) node->leaf_count = 1;
        parent->subtree_size += node->subtree_size;
        parent->leaf_count += node->leaf_count;
        parent->child_count++;
    }
    uint32_t first = 0;
    for (size_t i = 0; i < count; i++) {
        nodes[i].child_first = first;
        first += nodes[i].child_count;
        nodes[i].child_count = 0;
    }
    for (size_t i = 1; i < count; i++) {
        trie_node *parent = &nodes[nodes[i].parent];
        trie->children[parent->child_first + parent->child_count++] = (uint32_t)i;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t *children = trie->children + nodes[i].child_first;
        if (nodes[i].child_count > 1) sort_children(nodes, children, nodes[i].child_count);
        for (uint32_t rank = 0; rank < nodes[i].child_count; rank++)
            nodes[children[rank]].rank = rank;
    }
    return ICL_OK;
}

static void sift_down(const trie_node *nodes, uint32_t *heap, size_t at, size_t count)
{
    for (;;) {
        size_t largest = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (nodes[heap[child]].token > nodes[heap[largest]].token) largest = child;
        if (largest == at) return;
        const uint32_t kept = heap[at];
        heap[at] = heap[largest];
        heap[largest] = kept;
        at = largest;
    }
}

/* Heap sort: tokens of siblings are distinct, so stability does not matter. */
static void sort_children(const trie_node *nodes, uint32_t *children, size_t count)
{
    for (size_t i = count / 2; i-- > 0;) sift_down(nodes, children, i, count);
    for (size_t end = count; end-- > 1;) {
        const uint32_t kept = children[0];
        children[0] = children[end];
        children[end] = kept;
        sift_down(nodes, children, 0, end);
    }
}

icl_status icl_trie_build(icl_trie *out, const icl_batch *batch)
{
    trie_builder builder = { 0 };
    uint32_t *prefix_nodes =
        malloc((batch->prefix_count > 0 ? batch->prefix_count : 1) * sizeof *prefix_nodes);
    icl_status status = prefix_nodes == NULL
                            ? icl_error_set(ICL_ENOMEM, "out of memory while building the trie")
                            : insert_batch(&builder, batch, prefix_nodes);
    free(prefix_nodes);
    free(builder.edges.slots);
    if (status == ICL_OK) status = finish(&builder.trie);
    if (status != ICL_OK) {
        icl_trie_deinit(&builder.trie);
        return status;
    }
    *out = builder.trie;
    return ICL_OK;
}

void icl_trie_deinit(icl_trie *trie)
{
    free(trie->nodes);
    free(trie->children);
    free(trie->asks);
    memset(trie, 0, sizeof *trie);
}
