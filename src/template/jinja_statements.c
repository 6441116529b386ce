/* Tokens to syntax trees: the template's text and its tags. */
#include "template/jinja_internal.h"

/* Statements up to a tag that begins with one of `ends` (NULL-terminated), which is not consumed
 * but for its "{%". `opener` and `place` say what it would close. */
static jinja_node *parse_body(jinja_parser *parser, const char *const *ends, const char *opener,
                              jinja_place place);

static void expect_tag_end(jinja_parser *parser)
{
    if (parser->at->kind != TOKEN_TAG_END) icl_jinja_unexpected(parser, "the end of the tag");
    parser->at++;
}

static jinja_node *body_until(jinja_parser *parser, const char *end, const char *opener,
                              jinja_place place)
{
    const char *const ends[] = { end, NULL };
    jinja_node *body = parse_body(parser, ends, opener, place);
    parser->at++;
    return body;
}

/* A body that becomes a value: break and continue in it cannot leave a loop around it. */
static jinja_node *captured_body(jinja_parser *parser, const char *end, const char *opener,
                                 jinja_place place)
{
    const size_t loop_depth = parser->loop_depth;
    parser->loop_depth = 0;
    jinja_node *body = body_until(parser, end, opener, place);
    parser->loop_depth = loop_depth;
    return body;
}

/* A chain of "elif" is a list, not a nest: it may have a branch per label. */
static jinja_node *parse_if(jinja_parser *parser, jinja_place place)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    jinja_node *first = icl_jinja_node_new(parser, NODE_IF, place), *last = first;
    for (;;) {
        last->left = icl_jinja_parse_tuple(parser, false, NULL);
        expect_tag_end(parser);
        last->middle = parse_body(parser, ends, "if", place);
        const jinja_place next = parser->at->place;
        if (!icl_jinja_skip_name(parser, "elif")) break;
        last->right = icl_jinja_node_new(parser, NODE_IF, next);
        last = last->right;
    }
    if (icl_jinja_skip_name(parser, "else")) {
        expect_tag_end(parser);
        last->right = body_until(parser, "endif", "if", place);
    } else
        parser->at++;
    return first;
}

/* ---- assignment ---- */

/* A name, `namespace.name` or a tuple of targets; no `loop`, no constants. */
static jinja_node *parse_target_part(jinja_parser *parser, bool with_namespace)
{
    const jinja_place place = parser->at->place;
    if (icl_jinja_skip_symbol(parser, "(")) {
        jinja_node *tuple = icl_jinja_node_new(parser, NODE_TUPLE, place);
        while (!icl_jinja_at_symbol(parser, ")")) {
            icl_jinja_parser_enter(parser);
            icl_jinja_nodes_add(parser, &tuple->items, parse_target_part(parser, with_namespace));
            parser->depth--;
            if (!icl_jinja_skip_symbol(parser, ",")) break;
        }
        icl_jinja_expect_symbol(parser, ")");
        return tuple;
    }
    jinja_node *node = icl_jinja_parse_primary(parser);
    if (node->kind != NODE_NAME) {
        parser->at--;
        icl_jinja_unexpected(parser, "a name to assign to");
    }
    if (with_namespace && icl_jinja_skip_symbol(parser, ".")) {
        jinja_node *attribute = icl_jinja_node_new(parser, NODE_ATTRIBUTE, place);
        attribute->left = node;
        attribute->name = icl_jinja_expect_name(parser);
        return attribute;
    }
    return node;
}

static jinja_node *parse_target(jinja_parser *parser, bool with_namespace)
{
    const jinja_place place = parser->at->place;
    jinja_node *first = parse_target_part(parser, with_namespace);
    if (!icl_jinja_at_symbol(parser, ",")) return first;
    jinja_node *tuple = icl_jinja_node_new(parser, NODE_TUPLE, place);
    icl_jinja_nodes_add(parser, &tuple->items, first);
    while (icl_jinja_skip_symbol(parser, ",") && !icl_jinja_at_name(parser, "in") &&
           !icl_jinja_at_symbol(parser, "="))
        icl_jinja_nodes_add(parser, &tuple->items, parse_target_part(parser, with_namespace));
    return tuple;
}

static jinja_node *parse_set(jinja_parser *parser, jinja_place place)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_SET, place);
    node->target = parse_target(parser, true);
    if (icl_jinja_skip_symbol(parser, "=")) {
        node->left = icl_jinja_parse_tuple(parser, true, NULL);
        return node;
    }
    node->kind = NODE_SET_BLOCK;
    while (icl_jinja_skip_symbol(parser, "|"))
        node->left = icl_jinja_parse_filter(parser, node->left);
    expect_tag_end(parser);
    node->middle = captured_body(parser, "endset", "set", place);
    return node;
}

static jinja_node *parse_with(jinja_parser *parser, jinja_place place)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_WITH, place);
    while (parser->at->kind != TOKEN_TAG_END) {
        jinja_node *set = icl_jinja_node_new(parser, NODE_SET, parser->at->place);
        set->target = parse_target_part(parser, false);
        icl_jinja_expect_symbol(parser, "=");
        set->left = icl_jinja_parse_expression(parser, true);
        icl_jinja_nodes_add(parser, &node->items, set);
        if (!icl_jinja_skip_symbol(parser, ",")) break;
    }
    expect_tag_end(parser);
    node->middle = body_until(parser, "endwith", "with", place);
    return node;
}

/* ---- blocks ---- */

static jinja_node *parse_for(jinja_parser *parser, jinja_place place)
{
    static const char *const ends[] = { "else", "endfor", NULL };
    jinja_node *node = icl_jinja_node_new(parser, NODE_FOR, place);
    node->target = parse_target(parser, false);
    if (!icl_jinja_skip_name(parser, "in")) icl_jinja_unexpected(parser, "\"in\"");
    node->left = icl_jinja_parse_tuple(parser, false, "recursive");
    if (icl_jinja_skip_name(parser, "if")) node->test = icl_jinja_parse_expression(parser, true);
    if (icl_jinja_at_name(parser, "recursive"))
        icl_jinja_unexpected(parser, "the end of the tag (recursive loops are not supported)");
    expect_tag_end(parser);
    parser->loop_depth++;
    node->middle = parse_body(parser, ends, "for", place);
    parser->loop_depth--;
    if (icl_jinja_skip_name(parser, "else")) {
        expect_tag_end(parser);
        node->right = body_until(parser, "endfor", "for", place);
    } else
        parser->at++;
    return node;
}

static jinja_node *parse_macro(jinja_parser *parser, jinja_place place)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_MACRO, place);
    node->name = icl_jinja_expect_name(parser);
    icl_jinja_expect_symbol(parser, "(");
    while (!icl_jinja_at_symbol(parser, ")")) {
        jinja_node *parameter = icl_jinja_node_new(parser, NODE_NAME, parser->at->place);
        parameter->name = icl_jinja_expect_name(parser);
        icl_jinja_nodes_add(parser, &node->items, parameter);
        if (icl_jinja_skip_symbol(parser, "="))
            icl_jinja_keywords_add(parser, node, parameter->name,
                                   icl_jinja_parse_expression(parser, true));
        else if (node->keyword_count > 0)
            icl_jinja_unexpected(parser, "a default value");
        if (!icl_jinja_skip_symbol(parser, ",")) break;
    }
    icl_jinja_expect_symbol(parser, ")");
    expect_tag_end(parser);
    node->middle = captured_body(parser, "endmacro", "macro", place);
    if (parser->at->kind == TOKEN_NAME && icl_jinja_string_equal(parser->at->text, node->name))
        parser->at++;
    return node;
}

static jinja_node *parse_filtered(jinja_parser *parser, jinja_place place)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_FILTERED, place);
    node->left = icl_jinja_parse_filter(parser, NULL);
    while (icl_jinja_skip_symbol(parser, "|"))
        node->left = icl_jinja_parse_filter(parser, node->left);
    expect_tag_end(parser);
    node->middle = captured_body(parser, "endfilter", "filter", place);
    return node;
}

/* Marks what a model is trained on in chat templates; it changes nothing in the text. */
static jinja_node *parse_generation(jinja_parser *parser, jinja_place place)
{
    expect_tag_end(parser);
    return body_until(parser, "endgeneration", "generation", place);
}

static jinja_node *parse_jump(jinja_parser *parser, jinja_place place, jinja_node_kind kind)
{
    if (parser->loop_depth == 0) {
        parser->state->place = place;
        icl_jinja_fail(parser->state, "%s outside of a loop",
                       kind == NODE_BREAK ? "break" : "continue");
    }
    return icl_jinja_node_new(parser, kind, place);
}

static jinja_node *parse_break(jinja_parser *parser, jinja_place place)
{
    return parse_jump(parser, place, NODE_BREAK);
}

static jinja_node *parse_continue(jinja_parser *parser, jinja_place place)
{
    return parse_jump(parser, place, NODE_CONTINUE);
}

static const struct {
    const char *name;
    jinja_node *(*parse)(jinja_parser *parser, jinja_place place);
} tags[] = {
    { "if", parse_if },       { "for", parse_for },           { "set", parse_set },
    { "with", parse_with },   { "macro", parse_macro },       { "filter", parse_filtered },
    { "break", parse_break }, { "continue", parse_continue }, { "generation", parse_generation },
};

static noreturn void unknown_tag(jinja_parser *parser, jinja_string name, const char *opener)
{
    enum { TAG_COUNT = sizeof tags / sizeof *tags };
    const char *names[TAG_COUNT];
    for (size_t i = 0; i < TAG_COUNT; i++) names[i] = tags[i].name;
    const char *wanted = icl_jinja_format(parser->state, "%.*s", (int)name.length, name.bytes);
    if (strncmp(wanted, "end", 3) == 0 || strcmp(wanted, "else") == 0 ||
        strcmp(wanted, "elif") == 0) {
        if (opener == NULL) icl_jinja_fail(parser->state, "tag \"%s\" closes nothing", wanted);
        icl_jinja_fail(parser->state, "tag \"%s\" does not belong to the open \"%s\"", wanted,
                       opener);
    }
    const size_t nearest = icl_nearest_name(wanted, names, TAG_COUNT);
    if (nearest == TAG_COUNT) icl_jinja_fail(parser->state, "tag \"%s\" is not supported", wanted);
    icl_jinja_fail(parser->state, "unknown tag \"%s\"; did you mean \"%s\"?", wanted,
                   names[nearest]);
}

static jinja_node *parse_tag(jinja_parser *parser, const char *opener)
{
    const jinja_place place = parser->at->place;
    const jinja_string name = icl_jinja_expect_name(parser);
    icl_jinja_parser_enter(parser);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!icl_jinja_string_is(name, tags[i].name)) continue;
        jinja_node *node = tags[i].parse(parser, place);
        expect_tag_end(parser);
        parser->depth--;
        return node;
    }
    parser->state->place = place;
    unknown_tag(parser, name, opener);
}

static jinja_node *parse_output(jinja_parser *parser)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_OUTPUT, parser->at->place);
    parser->at++;
    node->left = icl_jinja_parse_tuple(parser, true, NULL);
    if (parser->at->kind != TOKEN_OUTPUT_END) icl_jinja_unexpected(parser, "\"}}\"");
    parser->at++;
    return node;
}

static bool is_end(const jinja_token *token, const char *const *ends)
{
    for (; ends != NULL && *ends != NULL; ends++)
        if (token->kind == TOKEN_NAME && icl_jinja_string_is(token->text, *ends)) return true;
    return false;
}

static jinja_node *parse_body(jinja_parser *parser, const char *const *ends, const char *opener,
                              jinja_place place)
{
    jinja_node *body = icl_jinja_node_new(parser, NODE_BODY, parser->at->place);
    for (;;) {
        const jinja_token *token = parser->at;
        if (token->kind == TOKEN_DATA) {
            jinja_node *data = icl_jinja_node_new(parser, NODE_DATA, token->place);
            data->name = token->text;
            icl_jinja_nodes_add(parser, &body->items, data);
            parser->at++;
        } else if (token->kind == TOKEN_OUTPUT_BEGIN) {
            icl_jinja_nodes_add(parser, &body->items, parse_output(parser));
        } else if (token->kind == TOKEN_TAG_BEGIN) {
            parser->at++;
            if (is_end(parser->at, ends)) return body;
            icl_jinja_nodes_add(parser, &body->items, parse_tag(parser, opener));
        } else if (ends == NULL) {
            return body;
        } else {
            parser->state->place = place;
            icl_jinja_fail(parser->state, "\"%s\" is not closed by \"{%% end%s %%}\"", opener,
                           opener);
        }
    }
}

jinja_node *icl_jinja_parse_template(jinja_parser *parser)
{
    return parse_body(parser, NULL, NULL, parser->at->place);
}
