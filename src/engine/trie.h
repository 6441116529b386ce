/* engine/trie.h - the token trie of a batch's unanswered requests.
 *
 * A node is a token after its parent's path; every node is evaluated once. The last token of a
 * continuation is never a node: its probability is read from its parent's logits. Nodes are
 * numbered so that parents come first; children are in ascending token order, so the trie does not
 * depend on the order of requests.
 */
#ifndef ICL_ENGINE_TRIE_H
#define ICL_ENGINE_TRIE_H

#include <stdint.h>

#include "engine/batch.h"

enum { TRIE_ROOT = 0 }; /* the empty path: never evaluated */

#define TRIE_NONE UINT32_MAX

typedef struct trie_node {
    int32_t token;
    uint32_t parent;
    uint32_t depth;       /* tokens of the path, this one included */
    uint32_t child_first; /* in trie.children */
    uint32_t child_count;
    uint32_t rank;         /* place among its parent's children */
    uint32_t subtree_size; /* nodes below and including this one; while planning, those to come */
    uint32_t leaf_count;   /* nodes below without children; 1 for a leaf; the same */
    uint32_t ask_first;    /* in trie.asks, or TRIE_NONE: its row is not read */
    uint16_t held_by;      /* sequence that has it in the cache; 0: none. Set while planning */
    bool hidden;           /* one of the asks reads its hidden state */
} trie_node;

/* Something read from a node's row. */
typedef struct trie_ask {
    uint32_t request;
    uint32_t place; /* index into the continuation */
    uint32_t next;  /* further ask of the node, or TRIE_NONE */
} trie_ask;

typedef struct icl_trie {
    trie_node *nodes;
    size_t node_count, node_capacity;
    uint32_t *children; /* [node_count - 1] */
    trie_ask *asks;
    size_t ask_count, ask_capacity;
} icl_trie;

/* ICL_ENOMEM, or ICL_EINVAL when there are more than 2^31 nodes. */
icl_status icl_trie_build(icl_trie *out, const icl_batch *batch);
void icl_trie_deinit(icl_trie *trie);

#endif
