/* The names a template takes from its context: those read where no set, for, with or macro has
 * bound them before. What every branch of an "if" binds is bound after it. */
#include "template/jinja_internal.h"

typedef struct names {
    jinja_state *state;
    const icl_jinja_options *options;
    jinja_string *found;
    size_t found_count, found_capacity;
    jinja_string *bound; /* a stack: a block's names leave with it */
    size_t bound_count, bound_capacity;
} names;

static void visit(names *all, const jinja_node *node);

static bool contains(const jinja_string *names_at, size_t count, jinja_string name)
{
    for (size_t i = 0; i < count; i++)
        if (icl_jinja_string_equal(names_at[i], name)) return true;
    return false;
}

static void bind(names *all, jinja_string name)
{
    all->bound = icl_jinja_grow(all->state, all->bound, &all->bound_capacity, all->bound_count,
                                sizeof *all->bound);
    all->bound[all->bound_count++] = name;
}

static void bind_target(names *all, const jinja_node *target)
{
    if (target->kind == NODE_NAME)
        bind(all, target->name);
    else if (target->kind == NODE_ATTRIBUTE)
        visit(all, target->left);
    else
        for (size_t i = 0; i < target->items.count; i++) bind_target(all, target->items.at[i]);
}

static void use(names *all, jinja_string name)
{
    if (contains(all->bound, all->bound_count, name) ||
        icl_jinja_function_find(all->options, name) != NULL)
        return;
    if (contains(all->found, all->found_count, name)) return;
    all->found = icl_jinja_grow(all->state, all->found, &all->found_capacity, all->found_count,
                                sizeof *all->found);
    all->found[all->found_count++] = name;
}

static void visit_optional(names *all, const jinja_node *node)
{
    if (node != NULL) visit(all, node);
}

static void visit_children(names *all, const jinja_node *node)
{
    visit_optional(all, node->left);
    visit_optional(all, node->middle);
    visit_optional(all, node->right);
    for (size_t i = 0; i < node->items.count; i++) visit_optional(all, node->items.at[i]);
    for (size_t i = 0; i < node->keyword_count; i++) visit(all, node->keywords[i].value);
}

/* Drops the names that the branch just visited has not bound; returns how many are left. */
static size_t keep_bound(const names *all, size_t bound_before, jinja_string *shared, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (contains(all->bound + bound_before, all->bound_count - bound_before, shared[i]))
            shared[kept++] = shared[i];
    return kept;
}

static void visit_if(names *all, const jinja_node *node)
{
    const size_t bound_before = all->bound_count;
    visit(all, node->left);
    visit(all, node->middle);
    size_t shared_count = all->bound_count - bound_before;
    jinja_string *shared = icl_jinja_alloc(all->state, shared_count * sizeof *shared);
    for (size_t i = 0; i < shared_count; i++) shared[i] = all->bound[bound_before + i];
    const jinja_node *branch = node;
    do {
        all->bound_count = bound_before;
        branch = branch->right;
        const bool is_if = branch != NULL && branch->kind == NODE_IF;
        if (is_if) visit(all, branch->left);
        visit_optional(all, is_if ? branch->middle : branch);
        shared_count = keep_bound(all, bound_before, shared, shared_count);
    } while (branch != NULL && branch->kind == NODE_IF);
    all->bound_count = bound_before;
    for (size_t i = 0; i < shared_count; i++) bind(all, shared[i]);
}

static void visit_for(names *all, const jinja_node *node)
{
    const size_t bound_before = all->bound_count;
    visit(all, node->left);
    bind_target(all, node->target);
    visit_optional(all, node->test);
    bind(all, JINJA_STRING("loop"));
    visit(all, node->middle);
    all->bound_count = bound_before;
    visit_optional(all, node->right);
    all->bound_count = bound_before;
}

static void visit_macro(names *all, const jinja_node *node)
{
    bind(all, node->name);
    const size_t bound_before = all->bound_count;
    for (size_t i = 0; i < node->items.count; i++) bind(all, node->items.at[i]->name);
    for (size_t i = 0; i < node->keyword_count; i++) visit(all, node->keywords[i].value);
    visit(all, node->middle);
    all->bound_count = bound_before;
}

/* Runs a body whose names end with it. */
static void visit_inner(names *all, const jinja_node *body)
{
    const size_t bound_before = all->bound_count;
    visit(all, body);
    all->bound_count = bound_before;
}

static void visit_with(names *all, const jinja_node *node)
{
    const size_t bound_before = all->bound_count;
    for (size_t i = 0; i < node->items.count; i++) visit(all, node->items.at[i]->left);
    for (size_t i = 0; i < node->items.count; i++) bind_target(all, node->items.at[i]->target);
    visit(all, node->middle);
    all->bound_count = bound_before;
}

static void visit(names *all, const jinja_node *node)
{
    switch (node->kind) {
    case NODE_NAME:
        use(all, node->name);
        return;
    case NODE_IF:
        visit_if(all, node);
        return;
    case NODE_FOR:
        visit_for(all, node);
        return;
    case NODE_MACRO:
        visit_macro(all, node);
        return;
    case NODE_WITH:
        visit_with(all, node);
        return;
    case NODE_SET:
        visit(all, node->left);
        bind_target(all, node->target);
        return;
    case NODE_SET_BLOCK:
        visit_optional(all, node->left);
        visit_inner(all, node->middle);
        bind_target(all, node->target);
        return;
    case NODE_FILTERED:
        visit(all, node->left);
        visit_inner(all, node->middle);
        return;
    default:
        visit_children(all, node);
        return;
    }
}

void icl_jinja_collect_names(jinja_state *state, icl_jinja *tmpl)
{
    names all = { .state = state, .options = &tmpl->options };
    visit(&all, tmpl->root);
    tmpl->names = icl_jinja_alloc(state, all.found_count * sizeof *tmpl->names);
    for (size_t i = 0; i < all.found_count; i++) {
        char *name = icl_jinja_alloc(state, all.found[i].length + 1);
        memcpy(name, all.found[i].bytes, all.found[i].length);
        tmpl->names[i] = name;
    }
    tmpl->name_count = all.found_count;
}
