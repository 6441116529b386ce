#include "engine/plan_hold.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* Leaves that the waves of the rest may have at once, and rows that a call of kept paths has room
 * for: less would waste the lanes of a product. */
enum { WAVE_LEAVES_MIN = 32, CALL_ROWS_MIN = 64 };

typedef struct hold_chooser {
    plan_holds *holds;
    icl_trie *trie;
    const icl_plan_limits *limits;
    const icl_residents *residents;
    size_t *keeps; /* [node_count] 0: nothing is kept here; else 1 and the tokens to come */
    bool *chosen;  /* [node_count] on a chosen path */
    size_t kept_requests, kept_leaves, other_leaves;
    size_t tokens_new; /* of the chosen paths */
} hold_chooser;

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- the trie ---- */

static uint32_t find_child(const icl_trie *trie, uint32_t parent, int32_t token)
{
    const trie_node *node = &trie->nodes[parent];
    size_t low = 0, high = node->child_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const uint32_t child = trie->children[node->child_first + middle];
        if (trie->nodes[child].token == token) return child;
        if (trie->nodes[child].token < token)
            low = middle + 1;
        else
            high = middle;
    }
    return TRIE_NONE;
}

static uint32_t first_leaf(const icl_trie *trie, uint32_t node)
{
    while (trie->nodes[node].child_count > 0) node = trie->children[trie->nodes[node].child_first];
    return node;
}

/* The leaf behind this one in the order of the trie, or TRIE_NONE. */
static uint32_t next_leaf(const icl_trie *trie, uint32_t node)
{
    while (node != TRIE_ROOT) {
        const trie_node *done = &trie->nodes[node], *parent = &trie->nodes[done->parent];
        if (done->rank + 1 < parent->child_count)
            return first_leaf(trie, trie->children[parent->child_first + done->rank + 1]);
        node = done->parent;
    }
    return TRIE_NONE;
}

/* Where a path leaves what is held: that node, or TRIE_ROOT. */
static uint32_t held_end(const icl_trie *trie, uint32_t node)
{
    while (node != TRIE_ROOT && trie->nodes[node].held_by == 0) node = trie->nodes[node].parent;
    return node;
}

/* Subtree sizes and leaves of what is to be evaluated: chosen leaves, or (NULL) those not held. */
static void recount(icl_trie *trie, const bool *chosen)
{
    trie_node *nodes = trie->nodes;
    for (size_t i = 0; i < trie->node_count; i++) nodes[i].subtree_size = nodes[i].leaf_count = 0;
    for (size_t i = trie->node_count; i-- > 1;) {
        trie_node *node = &nodes[i], *parent = &nodes[node->parent];
        if (node->child_count == 0)
            node->leaf_count = chosen != NULL ? chosen[i] : node->held_by == 0;
        if (node->leaf_count > 0 && node->held_by == 0) node->subtree_size++;
        parent->subtree_size += node->subtree_size;
        parent->leaf_count += node->leaf_count;
    }
}

/* ---- what is kept ---- */

/* A request that ends inside the trie is kept by the first path through its end. */
static void find_keeps(hold_chooser *self, const icl_batch *batch)
{
    const icl_trie *trie = self->trie;
    for (uint32_t i = 1; i < trie->node_count; i++) {
        const trie_node *node = &trie->nodes[i];
        for (uint32_t a = node->ask_first; a != TRIE_NONE; a = trie->asks[a].next) {
            const icl_request *request = &batch->requests[trie->asks[a].request];
            const size_t last = request->count > 0 ? request->count - 1 : 0;
            if (!request->kept || trie->asks[a].place != last) continue;
            self->keeps[i] += 1 + request->tokens_to_come;
            self->kept_requests++;
        }
        if (node->child_count > 0) self->keeps[trie->children[node->child_first]] += self->keeps[i];
        self->kept_leaves += node->child_count == 0 && self->keeps[i] > 0;
        self->other_leaves += node->child_count == 0 && self->keeps[i] == 0;
    }
}

/* A node whose row is read has to be evaluated again, and with it what is below: its new cell lies
 * behind theirs. */
static void mark_residents(hold_chooser *self)
{
    for (size_t s = 1; s < self->residents->sequence_count; s++) {
        const resident_path *path = &self->residents->paths[s];
        uint32_t node = TRIE_ROOT;
        for (size_t i = 0; i < path->count; i++) {
            node = find_child(self->trie, node, path->tokens[i]);
            if (node == TRIE_NONE || self->trie->nodes[node].ask_first != TRIE_NONE) break;
            if (self->trie->nodes[node].held_by == 0) self->trie->nodes[node].held_by = (uint16_t)s;
        }
    }
}

/* ---- what finds room ---- */

static void choose_leaf(hold_chooser *self, uint32_t leaf)
{
    self->holds->count++;
    self->holds->tokens_to_come += self->keeps[leaf];
    for (uint32_t i = leaf; i != TRIE_ROOT && !self->chosen[i]; i = self->trie->nodes[i].parent) {
        self->chosen[i] = true;
        self->tokens_new += self->trie->nodes[i].held_by == 0;
    }
}

static size_t new_tokens(const hold_chooser *self, uint32_t leaf)
{
    size_t count = 0;
    for (uint32_t i = leaf; i != TRIE_ROOT && !self->chosen[i]; i = self->trie->nodes[i].parent)
        count += self->trie->nodes[i].held_by == 0;
    return count;
}

/* Whether most of the path is there. */
static bool goes_on(const hold_chooser *self, uint32_t leaf)
{
    const trie_node *nodes = self->trie->nodes;
    return 2 * nodes[held_end(self->trie, leaf)].depth > nodes[leaf].depth;
}

static void choose_leaves(hold_chooser *self, bool held, size_t leaf_room, size_t cell_room)
{
    plan_holds *holds = self->holds;
    for (uint32_t leaf = first_leaf(self->trie, TRIE_ROOT); leaf != TRIE_NONE;
         leaf = next_leaf(self->trie, leaf)) {
        if (self->keeps[leaf] == 0 || self->chosen[leaf] || goes_on(self, leaf) != held) continue;
        const size_t needed =
            self->tokens_new + holds->tokens_to_come + new_tokens(self, leaf) + self->keeps[leaf];
        if (holds->count < leaf_room && needed <= cell_room) choose_leaf(self, leaf);
    }
}

static size_t longest_path(const icl_trie *trie)
{
    size_t longest = 0;
    for (size_t i = 1; i < trie->node_count; i++) longest = max_size(longest, trie->nodes[i].depth);
    return longest;
}

static void choose_all_or_some(hold_chooser *self)
{
    plan_holds *holds = self->holds;
    const bool fresh = self->residents->sequence_count == 0;
    const size_t cells =
        self->limits->cells_max - min_size(self->limits->cells_max, holds->cells_taken);
    holds->sequence_count = fresh ? min_size(self->limits->sequences_max, self->kept_requests + 1)
                                  : self->residents->sequence_count;
    if (self->other_leaves == 0) {
        choose_leaves(self, true, holds->sequence_count - 1, cells);
        choose_leaves(self, false, holds->sequence_count - 1, cells);
        if (holds->count == self->kept_leaves) return;
        memset(self->chosen, 0, self->trie->node_count * sizeof *self->chosen);
        holds->count = holds->tokens_to_come = self->tokens_new = 0;
    }
    if (fresh)
        holds->sequence_count =
            min_size(self->limits->sequences_max, self->kept_requests + 1 + WAVE_LEAVES_MIN);
    const size_t sequences = holds->sequence_count - 1;
    const size_t spare_sequences = max_size(1, min_size(WAVE_LEAVES_MIN, sequences / 4));
    const size_t spare_cells = max_size(longest_path(self->trie), self->limits->cells_max / 4);
    const size_t leaf_room = sequences - min_size(sequences, spare_sequences);
    const size_t cell_room = cells - min_size(cells, spare_cells);
    choose_leaves(self, true, leaf_room, cell_room);
    choose_leaves(self, false, leaf_room, cell_room);
}

/* ---- sequences ---- */

static void list_leaves(hold_chooser *self)
{
    plan_holds *holds = self->holds;
    size_t count = 0;
    for (uint32_t leaf = first_leaf(self->trie, TRIE_ROOT); leaf != TRIE_NONE;
         leaf = next_leaf(self->trie, leaf))
        if (self->chosen[leaf]) holds->leaves[count++] = leaf;
}

/* heirs[s]: the leaf that goes on in sequence s, of all that leave it the one that has most of it;
 * the others have a beginning of that. SIZE_MAX: none. */
static void find_heirs(const hold_chooser *self, size_t *heirs)
{
    const plan_holds *holds = self->holds;
    const trie_node *nodes = self->trie->nodes;
    for (size_t s = 0; s < holds->sequence_count; s++) heirs[s] = SIZE_MAX;
    for (size_t i = 0; i < holds->count; i++) {
        const trie_node *end = &nodes[held_end(self->trie, holds->leaves[i])];
        size_t *heir = &heirs[end->held_by];
        if (end->depth == 0) continue;
        if (*heir == SIZE_MAX ||
            nodes[held_end(self->trie, holds->leaves[*heir])].depth < end->depth)
            *heir = i;
    }
}

static void add_edit(plan_holds *holds, size_t to, size_t from, size_t tokens)
{
    holds->edits[holds->edit_count++] =
        (icl_decode_edit){ .to = (int32_t)to, .from = (int32_t)from, .tokens = tokens };
}

/* Paths without an heir are dropped first, which makes room for others; heirs are cut last, when
 * nobody copies from them any more. */
static void assign_sequences(hold_chooser *self, const size_t *heirs)
{
    plan_holds *holds = self->holds;
    const icl_residents *residents = self->residents;
    size_t next = holds->sequence_count, lowest = holds->sequence_count;
    for (size_t s = 1; s < residents->sequence_count; s++)
        if (residents->paths[s].count > 0 && heirs[s] == SIZE_MAX) add_edit(holds, s, s, 0);
    for (size_t i = 0; i < holds->count; i++) {
        const trie_node *end = &self->trie->nodes[held_end(self->trie, holds->leaves[i])];
        size_t sequence = end->held_by;
        if (end->depth == 0 || heirs[sequence] != i) {
            do next--;
            while (heirs[next] != SIZE_MAX);
            sequence = next;
            if (end->depth > 0) add_edit(holds, sequence, end->held_by, end->depth);
        }
        holds->sequences[i] = (int32_t)sequence;
        lowest = min_size(lowest, sequence);
    }
    for (size_t s = 1; s < residents->sequence_count; s++) {
        if (heirs[s] == SIZE_MAX) continue;
        const uint32_t end = held_end(self->trie, holds->leaves[heirs[s]]);
        if (self->trie->nodes[end].depth < residents->paths[s].count)
            add_edit(holds, s, s, self->trie->nodes[end].depth);
    }
    holds->leaf_max = lowest - 1;
}

static icl_status place_leaves(hold_chooser *self)
{
    plan_holds *holds = self->holds;
    holds->leaves = malloc(holds->count * sizeof *holds->leaves);
    holds->sequences = malloc(holds->count * sizeof *holds->sequences);
    holds->edits = malloc(2 * holds->sequence_count * sizeof *holds->edits);
    size_t *heirs = malloc(holds->sequence_count * sizeof *heirs);
    icl_status status = ICL_OK;
    if (holds->leaves == NULL || holds->sequences == NULL || holds->edits == NULL || heirs == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for a plan");
    if (status == ICL_OK) {
        list_leaves(self);
        find_heirs(self, heirs);
        assign_sequences(self, heirs);
        for (size_t i = 1; i < self->trie->node_count; i++)
            holds->cells_live += self->chosen[i] && self->trie->nodes[i].held_by != 0;
    }
    free(heirs);
    return status;
}

static icl_status choose(hold_chooser *self, const icl_batch *batch)
{
    plan_holds *holds = self->holds;
    find_keeps(self, batch);
    if (self->kept_requests == 0) return ICL_OK;
    mark_residents(self);
    holds->cells_taken = self->residents->cells;
    holds->rows_max = max_size(CALL_ROWS_MIN, self->kept_requests);
    choose_all_or_some(self);
    holds->missed = self->kept_leaves - holds->count;
    if (holds->count > 0) {
        ICL_TRY(place_leaves(self));
        recount(self->trie, self->chosen);
        return ICL_OK;
    }
    for (size_t i = 0; i < self->trie->node_count; i++) self->trie->nodes[i].held_by = 0;
    return ICL_OK;
}

icl_status icl_holds_choose(plan_holds *out, icl_trie *trie, const icl_batch *batch,
                            const icl_plan_limits *limits, const icl_residents *residents)
{
    plan_holds holds = { 0 };
    hold_chooser self = { .holds = &holds,
                          .trie = trie,
                          .limits = limits,
                          .residents = residents,
                          .keeps = calloc(trie->node_count, sizeof *self.keeps),
                          .chosen = calloc(trie->node_count, sizeof *self.chosen) };
    icl_status status = self.keeps == NULL || self.chosen == NULL
                            ? icl_error_set(ICL_ENOMEM, "out of memory for a plan")
                            : choose(&self, batch);
    free(self.keeps);
    free(self.chosen);
    if (status == ICL_OK)
        *out = holds;
    else
        icl_holds_deinit(&holds);
    return status;
}

void icl_holds_settle(const plan_holds *holds, icl_trie *trie)
{
    for (size_t i = 0; i < trie->node_count; i++) trie->nodes[i].held_by = 0;
    for (size_t h = 0; h < holds->count; h++)
        for (uint32_t i = holds->leaves[h]; i != TRIE_ROOT && trie->nodes[i].held_by == 0;
             i = trie->nodes[i].parent)
            trie->nodes[i].held_by = (uint16_t)holds->sequences[h];
    recount(trie, NULL);
}

void icl_holds_deinit(plan_holds *holds)
{
    free(holds->leaves);
    free(holds->sequences);
    free(holds->edits);
    *holds = (plan_holds){ 0 };
}

static icl_status read_path(resident_path *out, const icl_trie *trie, uint32_t leaf)
{
    const size_t count = trie->nodes[leaf].depth;
    int32_t *tokens = malloc(count * sizeof *tokens);
    if (tokens == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a path of %zu tokens", count);
    for (uint32_t i = leaf; i != TRIE_ROOT; i = trie->nodes[i].parent)
        tokens[trie->nodes[i].depth - 1] = trie->nodes[i].token;
    *out = (resident_path){ .tokens = tokens, .count = count };
    return ICL_OK;
}

icl_status icl_holds_become_residents(icl_residents *residents, const plan_holds *holds,
                                      const icl_trie *trie, size_t cells)
{
    icl_residents fresh;
    ICL_TRY(icl_residents_init(&fresh, holds->sequence_count));
    icl_status status = ICL_OK;
    for (size_t h = 0; h < holds->count && status == ICL_OK; h++)
        status = read_path(&fresh.paths[holds->sequences[h]], trie, holds->leaves[h]);
    if (status != ICL_OK) {
        icl_residents_deinit(&fresh);
        return status;
    }
    fresh.cells = cells;
    icl_residents_deinit(residents);
    *residents = fresh;
    return ICL_OK;
}
