/* Tokens to syntax trees: expressions, in the order of precedence of Jinja's own parser. */
#include "template/jinja_internal.h"

jinja_node *icl_jinja_node_new(jinja_parser *parser, jinja_node_kind kind, jinja_place place)
{
    jinja_node *node = icl_jinja_alloc(parser->state, sizeof *node);
    node->kind = kind;
    node->place = place;
    return node;
}

void icl_jinja_nodes_add(jinja_parser *parser, jinja_nodes *nodes, jinja_node *node)
{
    nodes->at =
        icl_jinja_grow(parser->state, nodes->at, &nodes->capacity, nodes->count, sizeof *nodes->at);
    nodes->at[nodes->count++] = node;
}

void icl_jinja_keywords_add(jinja_parser *parser, jinja_node *node, jinja_string name,
                            jinja_node *value)
{
    node->keywords = icl_jinja_grow(parser->state, node->keywords, &node->keyword_capacity,
                                    node->keyword_count, sizeof *node->keywords);
    node->keywords[node->keyword_count++] = (jinja_keyword){ name, value };
}

void icl_jinja_parser_enter(jinja_parser *parser)
{
    parser->state->place = parser->at->place;
    if (++parser->depth > ICL_JINJA_DEPTH_MAX)
        icl_jinja_fail(parser->state, "nests deeper than %d levels", ICL_JINJA_DEPTH_MAX);
}

static bool is_symbol(const jinja_token *token, const char *symbol)
{
    return token->kind == TOKEN_SYMBOL && icl_jinja_string_is(token->text, symbol);
}

static bool is_name(const jinja_token *token, const char *name)
{
    return token->kind == TOKEN_NAME && icl_jinja_string_is(token->text, name);
}

bool icl_jinja_at_symbol(const jinja_parser *parser, const char *symbol)
{
    return is_symbol(parser->at, symbol);
}

bool icl_jinja_at_name(const jinja_parser *parser, const char *name)
{
    return is_name(parser->at, name);
}

bool icl_jinja_skip_symbol(jinja_parser *parser, const char *symbol)
{
    if (!icl_jinja_at_symbol(parser, symbol)) return false;
    parser->at++;
    return true;
}

bool icl_jinja_skip_name(jinja_parser *parser, const char *name)
{
    if (!icl_jinja_at_name(parser, name)) return false;
    parser->at++;
    return true;
}

void icl_jinja_unexpected(jinja_parser *parser, const char *wanted)
{
    const jinja_token *token = parser->at;
    parser->state->place = token->place;
    if (token->kind == TOKEN_OUTPUT_END || token->kind == TOKEN_TAG_END)
        icl_jinja_fail(parser->state, "expected %s before the end of the tag", wanted);
    if (token->kind == TOKEN_END)
        icl_jinja_fail(parser->state, "expected %s before the end of the template", wanted);
    icl_jinja_fail(parser->state, "expected %s, found \"%.*s\"", wanted,
                   (int)(token->text.length > 60 ? 60 : token->text.length), token->text.bytes);
}

void icl_jinja_expect_symbol(jinja_parser *parser, const char *symbol)
{
    if (!icl_jinja_skip_symbol(parser, symbol))
        icl_jinja_unexpected(parser, icl_jinja_format(parser->state, "\"%s\"", symbol));
}

jinja_string icl_jinja_expect_name(jinja_parser *parser)
{
    if (parser->at->kind != TOKEN_NAME) icl_jinja_unexpected(parser, "a name");
    return (parser->at++)->text;
}

/* ---- primary expressions ---- */

static jinja_node *constant(jinja_parser *parser, jinja_value value)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_CONSTANT, parser->at->place);
    node->constant = value;
    return node;
}

static jinja_node *parse_name(jinja_parser *parser)
{
    static const struct {
        const char *name;
        jinja_value value;
    } constants[] = {
        { "true", { JINJA_BOOLEAN, { .boolean = true } } },
        { "True", { JINJA_BOOLEAN, { .boolean = true } } },
        { "false", { JINJA_BOOLEAN, { .boolean = false } } },
        { "False", { JINJA_BOOLEAN, { .boolean = false } } },
        { "none", { JINJA_NONE, { 0 } } },
        { "None", { JINJA_NONE, { 0 } } },
    };
    jinja_node *node = NULL;
    for (size_t i = 0; node == NULL && i < sizeof constants / sizeof *constants; i++)
        if (icl_jinja_at_name(parser, constants[i].name))
            node = constant(parser, constants[i].value);
    if (node == NULL) {
        node = icl_jinja_node_new(parser, NODE_NAME, parser->at->place);
        node->name = parser->at->text;
    }
    parser->at++;
    return node;
}

/* Neighbouring literals are one string, as in Python. */
static jinja_node *parse_text(jinja_parser *parser)
{
    jinja_node *node = constant(parser, icl_jinja_text(parser->at->text));
    const jinja_token *end = parser->at;
    size_t length = 0;
    for (; end->kind == TOKEN_TEXT; end++) length += end->text.length;
    if (end == parser->at + 1) {
        parser->at = end;
        return node;
    }
    char *joined = icl_jinja_alloc(parser->state, length);
    length = 0;
    for (; parser->at < end; parser->at++) {
        memcpy(joined + length, parser->at->text.bytes, parser->at->text.length);
        length += parser->at->text.length;
    }
    node->constant = icl_jinja_text((jinja_string){ joined, length });
    return node;
}

static jinja_node *parse_list(jinja_parser *parser)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_LIST, parser->at->place);
    icl_jinja_expect_symbol(parser, "[");
    while (!icl_jinja_at_symbol(parser, "]")) {
        icl_jinja_nodes_add(parser, &node->items, icl_jinja_parse_expression(parser, true));
        if (!icl_jinja_skip_symbol(parser, ",")) break;
    }
    icl_jinja_expect_symbol(parser, "]");
    return node;
}

static jinja_node *parse_dict(jinja_parser *parser)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_DICT, parser->at->place);
    icl_jinja_expect_symbol(parser, "{");
    while (!icl_jinja_at_symbol(parser, "}")) {
        icl_jinja_nodes_add(parser, &node->items, icl_jinja_parse_expression(parser, true));
        icl_jinja_expect_symbol(parser, ":");
        icl_jinja_nodes_add(parser, &node->items, icl_jinja_parse_expression(parser, true));
        if (!icl_jinja_skip_symbol(parser, ",")) break;
    }
    icl_jinja_expect_symbol(parser, "}");
    return node;
}

jinja_node *icl_jinja_parse_primary(jinja_parser *parser)
{
    jinja_node *node = NULL;
    const jinja_token *token = parser->at;
    if (token->kind == TOKEN_NAME) return parse_name(parser);
    if (token->kind == TOKEN_TEXT) return parse_text(parser);
    if (token->kind == TOKEN_INTEGER)
        node = constant(parser, icl_jinja_integer(token->integer));
    else if (token->kind == TOKEN_FLOAT)
        node = constant(parser, icl_jinja_float(token->number));
    if (node != NULL) {
        parser->at++;
        return node;
    }
    if (icl_jinja_at_symbol(parser, "[")) return parse_list(parser);
    if (icl_jinja_at_symbol(parser, "{")) return parse_dict(parser);
    if (!icl_jinja_skip_symbol(parser, "(")) icl_jinja_unexpected(parser, "an expression");
    node = icl_jinja_parse_tuple(parser, true, ")");
    icl_jinja_expect_symbol(parser, ")");
    return node;
}

static bool tuple_ends(const jinja_parser *parser, const char *end)
{
    return parser->at->kind == TOKEN_OUTPUT_END || parser->at->kind == TOKEN_TAG_END ||
           icl_jinja_at_symbol(parser, ")") || (end != NULL && icl_jinja_at_name(parser, end));
}

/* One expression, or a tuple of several. `end` is ")" inside parentheses, where "()" is a tuple, or
 * a name that ends it, or NULL. */
jinja_node *icl_jinja_parse_tuple(jinja_parser *parser, bool with_condition, const char *end)
{
    jinja_node *tuple = icl_jinja_node_new(parser, NODE_TUPLE, parser->at->place);
    bool is_tuple = end != NULL && *end == ')' && tuple_ends(parser, end);
    while (!tuple_ends(parser, end)) {
        icl_jinja_nodes_add(parser, &tuple->items,
                            icl_jinja_parse_expression(parser, with_condition));
        if (!icl_jinja_skip_symbol(parser, ",")) break;
        is_tuple = true;
    }
    if (is_tuple) return tuple;
    if (tuple->items.count == 0) icl_jinja_unexpected(parser, "an expression");
    return tuple->items.at[0];
}

/* ---- what follows a primary expression ---- */

static jinja_node *slice_part(jinja_parser *parser)
{
    const bool empty = icl_jinja_at_symbol(parser, ":") || icl_jinja_at_symbol(parser, "]");
    return empty ? NULL : icl_jinja_parse_expression(parser, true);
}

static jinja_node *parse_item(jinja_parser *parser, jinja_node *left)
{
    const jinja_place place = parser->at->place;
    icl_jinja_expect_symbol(parser, "[");
    jinja_node *first = slice_part(parser);
    const bool is_slice = icl_jinja_skip_symbol(parser, ":");
    if (!is_slice && first == NULL) icl_jinja_unexpected(parser, "an expression");
    jinja_node *node = icl_jinja_node_new(parser, is_slice ? NODE_SLICE : NODE_ITEM, place);
    node->left = left;
    node->right = first;
    if (is_slice) {
        icl_jinja_nodes_add(parser, &node->items, first);
        icl_jinja_nodes_add(parser, &node->items, slice_part(parser));
        const bool has_step = icl_jinja_skip_symbol(parser, ":");
        icl_jinja_nodes_add(parser, &node->items, has_step ? slice_part(parser) : NULL);
    }
    icl_jinja_expect_symbol(parser, "]");
    return node;
}

static jinja_node *parse_attribute(jinja_parser *parser, jinja_node *left)
{
    parser->at++;
    const jinja_place place = parser->at->place;
    if (parser->at->kind == TOKEN_INTEGER) {
        jinja_node *node = icl_jinja_node_new(parser, NODE_ITEM, place);
        node->left = left;
        node->right = constant(parser, icl_jinja_integer(parser->at->integer));
        parser->at++;
        return node;
    }
    jinja_node *node = icl_jinja_node_new(parser, NODE_ATTRIBUTE, place);
    node->left = left;
    node->name = icl_jinja_expect_name(parser);
    return node;
}

/* Arguments in parentheses into the items and keywords of `node`. */
static void parse_arguments(jinja_parser *parser, jinja_node *node)
{
    icl_jinja_expect_symbol(parser, "(");
    while (!icl_jinja_at_symbol(parser, ")")) {
        if (icl_jinja_at_symbol(parser, "*") || icl_jinja_at_symbol(parser, "**"))
            icl_jinja_unexpected(parser, "an argument (unpacking with * is not supported)");
        const bool is_keyword = parser->at->kind == TOKEN_NAME && is_symbol(parser->at + 1, "=");
        if (is_keyword) {
            const jinja_string name = icl_jinja_expect_name(parser);
            parser->at++;
            icl_jinja_keywords_add(parser, node, name, icl_jinja_parse_expression(parser, true));
        } else if (node->keyword_count > 0) {
            icl_jinja_unexpected(parser, "a named argument");
        } else {
            icl_jinja_nodes_add(parser, &node->items, icl_jinja_parse_expression(parser, true));
        }
        if (!icl_jinja_skip_symbol(parser, ",")) break;
    }
    icl_jinja_expect_symbol(parser, ")");
}

static jinja_node *parse_call(jinja_parser *parser, jinja_node *left)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_CALL, left->place);
    node->left = left;
    parse_arguments(parser, node);
    return node;
}

static jinja_node *parse_postfix(jinja_parser *parser, jinja_node *node)
{
    const size_t depth = parser->depth;
    for (;;) {
        icl_jinja_parser_enter(
            parser); /* the tree grows a level with each, and so does its evaluation */
        if (icl_jinja_at_symbol(parser, "."))
            node = parse_attribute(parser, node);
        else if (icl_jinja_at_symbol(parser, "["))
            node = parse_item(parser, node);
        else if (icl_jinja_at_symbol(parser, "("))
            node = parse_call(parser, node);
        else
            break;
    }
    parser->depth = depth;
    return node;
}

jinja_node *icl_jinja_parse_filter(jinja_parser *parser, jinja_node *left)
{
    jinja_node *node = icl_jinja_node_new(parser, NODE_FILTER, parser->at->place);
    node->left = left;
    node->name = icl_jinja_expect_name(parser);
    parser->state->place = node->place;
    node->filter = icl_jinja_filter_find(node->name);
    if (!parser->lenient) icl_jinja_filter_require(parser->state, node->name);
    if (icl_jinja_at_symbol(parser, "(")) parse_arguments(parser, node);
    return node;
}

/* Can an argument without parentheses start here, as in "is divisibleby 3"? */
static bool at_bare_argument(jinja_parser *parser)
{
    const jinja_token *token = parser->at;
    if (is_name(token, "is")) icl_jinja_unexpected(parser, "one test (tests do not chain)");
    if (token->kind == TOKEN_NAME)
        return !is_name(token, "else") && !is_name(token, "or") && !is_name(token, "and");
    return token->kind == TOKEN_TEXT || token->kind == TOKEN_INTEGER ||
           token->kind == TOKEN_FLOAT || is_symbol(token, "[") || is_symbol(token, "{");
}

static jinja_node *parse_test(jinja_parser *parser, jinja_node *left)
{
    const bool negated = icl_jinja_skip_name(parser, "not");
    jinja_node *node = icl_jinja_node_new(parser, NODE_TEST, parser->at->place);
    node->left = left;
    node->name = icl_jinja_expect_name(parser);
    parser->state->place = node->place;
    node->named_test = icl_jinja_test_find(node->name);
    if (!parser->lenient) icl_jinja_test_require(parser->state, node->name);
    if (icl_jinja_at_symbol(parser, "(")) {
        parse_arguments(parser, node);
    } else if (at_bare_argument(parser)) {
        jinja_node *argument = parse_postfix(parser, icl_jinja_parse_primary(parser));
        icl_jinja_nodes_add(parser, &node->items, argument);
    }
    if (!negated) return node;
    jinja_node *not = icl_jinja_node_new(parser, NODE_NOT, node->place);
    not ->left = node;
    return not ;
}

static jinja_node *parse_filters_and_tests(jinja_parser *parser, jinja_node *node)
{
    const size_t depth = parser->depth;
    for (;;) {
        icl_jinja_parser_enter(parser);
        if (icl_jinja_skip_symbol(parser, "|"))
            node = icl_jinja_parse_filter(parser, node);
        else if (icl_jinja_skip_name(parser, "is"))
            node = parse_test(parser, node);
        else if (icl_jinja_at_symbol(parser, "("))
            node = parse_call(parser, node);
        else
            break;
    }
    parser->depth = depth;
    return node;
}

/* ---- operators, tightest first ---- */

static jinja_node *parse_unary(jinja_parser *parser, bool with_filters)
{
    const jinja_place place = parser->at->place;
    jinja_node *node;
    icl_jinja_parser_enter(parser);
    const bool minus = icl_jinja_skip_symbol(parser, "-");
    if (minus || icl_jinja_skip_symbol(parser, "+")) {
        node = icl_jinja_node_new(parser, minus ? NODE_NEGATE : NODE_PLUS, place);
        node->left = parse_unary(parser, false);
    } else
        node = icl_jinja_parse_primary(parser);
    node = parse_postfix(parser, node);
    if (with_filters) node = parse_filters_and_tests(parser, node);
    parser->depth--;
    return node;
}

typedef struct binary_symbol {
    const char *symbol;
    jinja_operator operator;
} binary_symbol;

static const binary_symbol powers[] = { { "**", OPERATOR_POWER }, { NULL, 0 } };
static const binary_symbol products[] = { { "*", OPERATOR_MULTIPLY },
                                          { "/", OPERATOR_DIVIDE },
                                          { "//", OPERATOR_FLOOR_DIVIDE },
                                          { "%", OPERATOR_MODULO },
                                          { NULL, 0 } };
static const binary_symbol concatenations[] = { { "~", OPERATOR_CONCATENATE }, { NULL, 0 } };
static const binary_symbol sums[] = { { "+", OPERATOR_ADD },
                                      { "-", OPERATOR_SUBTRACT },
                                      { NULL, 0 } };
static const binary_symbol comparisons[] = { { "==", OPERATOR_EQUAL },
                                             { "!=", OPERATOR_NOT_EQUAL },
                                             { "<", OPERATOR_LESS },
                                             { "<=", OPERATOR_LESS_EQUAL },
                                             { ">", OPERATOR_GREATER },
                                             { ">=", OPERATOR_GREATER_EQUAL },
                                             { NULL, 0 } };
static const binary_symbol *const levels[] = { powers, products, concatenations, sums };

static const binary_symbol *skip_operator(jinja_parser *parser, const binary_symbol *symbols)
{
    for (; symbols->symbol != NULL; symbols++)
        if (icl_jinja_skip_symbol(parser, symbols->symbol)) return symbols;
    return NULL;
}

/* Operators of one level group from the left, the power too (unlike Python's). */
static jinja_node *parse_level(jinja_parser *parser, size_t level)
{
    const size_t depth = parser->depth;
    jinja_node *left = level == 0 ? parse_unary(parser, true) : parse_level(parser, level - 1);
    for (;;) {
        const jinja_place place = parser->at->place;
        const binary_symbol *found = skip_operator(parser, levels[level]);
        if (found == NULL) break;
        icl_jinja_parser_enter(parser);
        jinja_node *node = icl_jinja_node_new(parser, NODE_BINARY, place);
        node->operator= found->operator;
        node->left = left;
        node->right = level == 0 ? parse_unary(parser, true) : parse_level(parser, level - 1);
        left = node;
    }
    parser->depth = depth;
    return left;
}

static bool skip_comparison(jinja_parser *parser, jinja_operator *out)
{
    const binary_symbol *found = skip_operator(parser, comparisons);
    if (found != NULL)
        *out = found->operator;
    else if (icl_jinja_skip_name(parser, "in"))
        *out = OPERATOR_IN;
    else if (icl_jinja_at_name(parser, "not") && is_name(parser->at + 1, "in")) {
        parser->at += 2;
        *out = OPERATOR_NOT_IN;
    } else
        return false;
    return true;
}

static jinja_node *parse_compare(jinja_parser *parser)
{
    const size_t level = sizeof levels / sizeof *levels - 1;
    jinja_node *left = parse_level(parser, level), *compare = NULL;
    for (;;) {
        const jinja_place place = parser->at->place;
        jinja_operator operator;
        if (!skip_comparison(parser, &operator)) break;
        if (compare == NULL) {
            compare = icl_jinja_node_new(parser, NODE_COMPARE, place);
            compare->left = left;
        }
        jinja_node *operand = icl_jinja_node_new(parser, NODE_BINARY, place);
        operand->operator= operator;
        operand->right = parse_level(parser, level);
        icl_jinja_nodes_add(parser, &compare->items, operand);
    }
    return compare != NULL ? compare : left;
}

static jinja_node *parse_not(jinja_parser *parser)
{
    const jinja_place place = parser->at->place;
    if (!icl_jinja_skip_name(parser, "not")) return parse_compare(parser);
    icl_jinja_parser_enter(parser);
    jinja_node *node = icl_jinja_node_new(parser, NODE_NOT, place);
    node->left = parse_not(parser);
    parser->depth--;
    return node;
}

static jinja_node *parse_logic(jinja_parser *parser, bool is_or)
{
    const size_t depth = parser->depth;
    jinja_node *left = is_or ? parse_logic(parser, false) : parse_not(parser);
    for (;;) {
        const jinja_place place = parser->at->place;
        if (!icl_jinja_skip_name(parser, is_or ? "or" : "and")) break;
        icl_jinja_parser_enter(parser);
        jinja_node *node = icl_jinja_node_new(parser, is_or ? NODE_OR : NODE_AND, place);
        node->left = left;
        node->right = is_or ? parse_logic(parser, false) : parse_not(parser);
        left = node;
    }
    parser->depth = depth;
    return left;
}

jinja_node *icl_jinja_parse_expression(jinja_parser *parser, bool with_condition)
{
    const size_t depth = parser->depth;
    icl_jinja_parser_enter(parser);
    jinja_node *node = parse_logic(parser, true);
    while (with_condition && icl_jinja_at_name(parser, "if")) {
        icl_jinja_parser_enter(parser);
        jinja_node *condition = icl_jinja_node_new(parser, NODE_CONDITION, parser->at->place);
        parser->at++;
        condition->left = node;
        condition->middle = parse_logic(parser, true);
        if (icl_jinja_skip_name(parser, "else"))
            condition->right = icl_jinja_parse_expression(parser, true);
        node = condition;
    }
    parser->depth = depth;
    return node;
}
