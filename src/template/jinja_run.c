/* Walks the statements of a template and writes its output. */
#include "template/jinja_internal.h"

/* Why a body ended: break and continue leave the bodies between them and their loop. */
typedef enum jump { JUMP_NONE, JUMP_BREAK, JUMP_CONTINUE } jump;

static jump run(jinja_render *render, const jinja_node *node);

static jump run_body(jinja_render *render, const jinja_node *body)
{
    jump left = JUMP_NONE;
    for (size_t i = 0; left == JUMP_NONE && i < body->items.count; i++)
        left = run(render, body->items.at[i]);
    return left;
}

static jump run_if(jinja_render *render, const jinja_node *node)
{
    for (; node != NULL && node->kind == NODE_IF; node = node->right)
        if (icl_jinja_truth(render, icl_jinja_eval(render, node->left)))
            return run(render, node->middle);
    return node != NULL ? run(render, node) : JUMP_NONE;
}

/* ---- loops ---- */

/* The items that pass the loop's `if`. */
static jinja_list filtered(jinja_render *render, const jinja_node *node, jinja_list items)
{
    if (node->test == NULL) return items;
    const jinja_value passed = icl_jinja_list_new(render, JINJA_LIST, items.count);
    icl_jinja_scope_push(render);
    for (size_t i = 0; i < items.count; i++) {
        render->scope->count = 0;
        icl_jinja_assign(render, node->target, items.items[i]);
        if (icl_jinja_truth(render, icl_jinja_eval(render, node->test)))
            icl_jinja_list_add(render, passed, items.items[i]);
    }
    icl_jinja_scope_pop(render);
    return *passed.list;
}

static void run_loop(jinja_render *render, const jinja_node *node, jinja_list items)
{
    jinja_loop *loop = icl_jinja_alloc(&render->state, sizeof *loop);
    loop->items = items.items;
    loop->count = items.count;
    jump left = JUMP_NONE;
    icl_jinja_scope_push(render); /* one for all iterations, emptied before each */
    for (; left != JUMP_BREAK && loop->index < loop->count; loop->index++) {
        render->scope->count = 0;
        icl_jinja_assign(render, node->target, items.items[loop->index]);
        icl_jinja_set_name(render, JINJA_STRING("loop"),
                           (jinja_value){ .kind = JINJA_LOOP, .loop = loop });
        left = run(render, node->middle);
    }
    icl_jinja_scope_pop(render);
}

static jump run_for(jinja_render *render, const jinja_node *node)
{
    const jinja_value iterable = icl_jinja_eval(render, node->left);
    render->state.place = node->left->place;
    const jinja_list items = filtered(render, node, icl_jinja_iterate(render, iterable));
    if (items.count > 0) run_loop(render, node, items);
    if (items.count > 0 || node->right == NULL) return JUMP_NONE;
    icl_jinja_scope_push(render);
    const jump left = run(render, node->right);
    icl_jinja_scope_pop(render);
    return left;
}

/* ---- blocks that become a value ---- */

static jinja_value capture(jinja_render *render, const jinja_node *node)
{
    const size_t begin = icl_jinja_capture_begin(render);
    icl_jinja_scope_push(render);
    run(render, node->middle);
    icl_jinja_scope_pop(render);
    const jinja_value text = icl_jinja_text(icl_jinja_capture_end(render, begin));
    if (node->left == NULL) return text;
    const jinja_value outer = render->captured;
    render->captured = text;
    const jinja_value value = icl_jinja_eval(render, node->left);
    render->captured = outer;
    return value;
}

static void run_filtered(jinja_render *render, const jinja_node *node)
{
    const jinja_value value = capture(render, node);
    const jinja_string text = icl_jinja_as_text(render, value, "what a filter block makes");
    icl_jinja_write(render, text.bytes, text.length);
}

static void run_macro(jinja_render *render, const jinja_node *node)
{
    jinja_macro *macro = icl_jinja_alloc(&render->state, sizeof *macro);
    *macro = (jinja_macro){ node, render->scope };
    icl_jinja_set_name(render, node->name, (jinja_value){ .kind = JINJA_MACRO, .macro = macro });
}

/* The values are those of the outer scope: "with a = 1, b = a" reads the outer a. */
static jump run_with(jinja_render *render, const jinja_node *node)
{
    jinja_value *values = icl_jinja_alloc(&render->state, node->items.count * sizeof *values);
    for (size_t i = 0; i < node->items.count; i++)
        values[i] = icl_jinja_eval(render, node->items.at[i]->left);
    icl_jinja_scope_push(render);
    for (size_t i = 0; i < node->items.count; i++)
        icl_jinja_assign(render, node->items.at[i]->target, values[i]);
    const jump left = run(render, node->middle);
    icl_jinja_scope_pop(render);
    return left;
}

static jump run_kind(jinja_render *render, const jinja_node *node)
{
    switch (node->kind) {
    case NODE_BODY:
        return run_body(render, node);
    case NODE_DATA:
        icl_jinja_write(render, node->name.bytes, node->name.length);
        break;
    case NODE_OUTPUT:
        icl_jinja_write_str(render, icl_jinja_eval(render, node->left));
        break;
    case NODE_IF:
        return run_if(render, node);
    case NODE_FOR:
        return run_for(render, node);
    case NODE_SET:
        icl_jinja_assign(render, node->target, icl_jinja_eval(render, node->left));
        break;
    case NODE_SET_BLOCK:
        icl_jinja_assign(render, node->target, capture(render, node));
        break;
    case NODE_MACRO:
        run_macro(render, node);
        break;
    case NODE_WITH:
        return run_with(render, node);
    case NODE_FILTERED:
        run_filtered(render, node);
        break;
    case NODE_BREAK:
        return JUMP_BREAK;
    case NODE_CONTINUE:
        return JUMP_CONTINUE;
    default:
        icl_jinja_eval(render, node);
        break;
    }
    return JUMP_NONE;
}

static jump run(jinja_render *render, const jinja_node *node)
{
    icl_jinja_enter(render);
    icl_jinja_charge(render, 1);
    render->state.place = node->place;
    const jump left = run_kind(render, node);
    icl_jinja_leave(render);
    return left;
}

void icl_jinja_run(jinja_render *render, const jinja_node *node)
{
    run(render, node);
}
