/* template/jinja_internal.h - what the files of the Jinja renderer share.
 *
 * Everything lives in arenas: syntax in the template's, values in the rendering's. An error leaves
 * by icl_jinja_fail(), which jumps to the one setjmp of the parse or rendering; the arena frees the
 * rest, so no code in between has anything to clean up. */
#ifndef ICL_TEMPLATE_JINJA_INTERNAL_H
#define ICL_TEMPLATE_JINJA_INTERNAL_H

#include <setjmp.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "template/jinja.h"

typedef struct jinja_string {
    const char *bytes; /* UTF-8, not terminated */
    size_t length;
} jinja_string;

#define JINJA_STRING(literal) ((jinja_string){ literal, sizeof literal - 1 })

typedef struct jinja_place {
    unsigned line, column; /* from 1 */
} jinja_place;

/* ---- values ---- */

typedef enum jinja_kind {
    JINJA_UNDEFINED, /* zero: an argument that was not passed has no origin */
    JINJA_NONE,
    JINJA_BOOLEAN,
    JINJA_INTEGER,
    JINJA_FLOAT,
    JINJA_TEXT,
    JINJA_LIST,
    JINJA_TUPLE,
    JINJA_RANGE,
    JINJA_ITERATOR, /* what a Python generator is: iterable once, no length, no items */
    JINJA_VIEW,     /* dict.keys(), .values(), .items() */
    JINJA_DICT,
    JINJA_NAMESPACE,
    JINJA_LOOP,
    JINJA_MACRO,
    JINJA_METHOD,
    JINJA_FUNCTION,
} jinja_kind;

typedef struct jinja_value {
    jinja_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        jinja_string text;
        struct jinja_list *list; /* LIST, TUPLE, RANGE, ITERATOR, VIEW */
        struct jinja_dict *dict; /* DICT, NAMESPACE */
        struct jinja_loop *loop;
        struct jinja_macro *macro;
        struct jinja_method *method;
        const struct jinja_function *function;
        const struct jinja_origin *origin; /* UNDEFINED */
    };
} jinja_value;

typedef struct jinja_list {
    jinja_value *items;
    size_t count, capacity;
    int64_t start, stop, step; /* RANGE */
    const char *view;          /* VIEW: "dict_keys" and so on */
} jinja_list;

typedef struct jinja_pair {
    jinja_value key, value;
} jinja_pair;

typedef struct jinja_dict {
    jinja_pair *pairs; /* in insertion order; looked up by walking: prompts have small mappings */
    size_t count, capacity;
} jinja_dict;

typedef struct jinja_loop {
    const jinja_value *items;
    size_t count, index;
    jinja_value changed; /* arguments of the last loop.changed() */
    bool has_changed;
} jinja_loop;

/* Where an undefined value came from, for the error when it is used. */
typedef struct jinja_origin {
    jinja_place place;
    const char *message;
    bool lenient; /* empty and false instead of an error, whatever the template's options */
} jinja_origin;

/* ---- syntax ---- */

typedef enum jinja_node_kind {
    /* expressions */
    NODE_CONSTANT,
    NODE_NAME,
    NODE_LIST,      /* items */
    NODE_TUPLE,     /* items */
    NODE_DICT,      /* items: key, value, key, value... */
    NODE_NOT,       /* left */
    NODE_NEGATE,    /* left */
    NODE_PLUS,      /* left */
    NODE_AND,       /* left, right */
    NODE_OR,        /* left, right */
    NODE_BINARY,    /* left, right, operator */
    NODE_COMPARE,   /* left; items: one NODE_BINARY per operand, its right the operand */
    NODE_CONDITION, /* left if middle else right */
    NODE_ATTRIBUTE, /* left.name */
    NODE_ITEM,      /* left[right] */
    NODE_SLICE,     /* left[items[0]:items[1]:items[2]], each may be NULL */
    NODE_CALL,      /* left(items, keywords) */
    NODE_FILTER,    /* left|name(items, keywords); left NULL: the captured body */
    NODE_TEST,      /* left is name(items, keywords) */
    /* statements */
    NODE_BODY,      /* items */
    NODE_DATA,      /* name: the text */
    NODE_OUTPUT,    /* left */
    NODE_IF,        /* left: condition; middle: body; right: NULL, or the else body */
    NODE_FOR,       /* target; left: iterable; test: filter; middle: body; right: else */
    NODE_SET,       /* target; left: value */
    NODE_SET_BLOCK, /* target; left: NULL or a filter chain; middle: body */
    NODE_MACRO,     /* name; items: parameter names; keywords: defaults; middle: body */
    NODE_WITH,      /* items: NODE_SETs; middle: body */
    NODE_FILTERED,  /* left: filter chain; middle: body */
    NODE_BREAK,
    NODE_CONTINUE,
} jinja_node_kind;

typedef enum jinja_operator {
    OPERATOR_ADD,
    OPERATOR_SUBTRACT,
    OPERATOR_MULTIPLY,
    OPERATOR_DIVIDE,
    OPERATOR_FLOOR_DIVIDE,
    OPERATOR_MODULO,
    OPERATOR_POWER,
    OPERATOR_CONCATENATE,
    OPERATOR_EQUAL,
    OPERATOR_NOT_EQUAL,
    OPERATOR_LESS,
    OPERATOR_LESS_EQUAL,
    OPERATOR_GREATER,
    OPERATOR_GREATER_EQUAL,
    OPERATOR_IN,
    OPERATOR_NOT_IN,
} jinja_operator;

typedef struct jinja_node jinja_node;

typedef struct jinja_nodes {
    jinja_node **at;
    size_t count, capacity;
} jinja_nodes;

typedef struct jinja_keyword {
    jinja_string name;
    jinja_node *value;
} jinja_keyword;

struct jinja_node {
    jinja_node_kind kind;
    jinja_operator operator;
    jinja_place place;
    jinja_string name;
    jinja_value constant;
    jinja_node *left, *middle, *right;
    jinja_node *target, *test;
    jinja_nodes items;
    jinja_keyword *keywords;
    size_t keyword_count, keyword_capacity;
    const struct jinja_filter *filter;   /* NODE_FILTER, resolved by the parser */
    const struct jinja_test *named_test; /* NODE_TEST, the same */
};

/* ---- tokens ---- */

typedef enum jinja_token_kind {
    TOKEN_DATA,
    TOKEN_TAG_BEGIN,
    TOKEN_TAG_END,
    TOKEN_OUTPUT_BEGIN,
    TOKEN_OUTPUT_END,
    TOKEN_NAME,
    TOKEN_TEXT, /* a string literal, unescaped */
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_SYMBOL, /* text: the operator itself */
    TOKEN_END,
} jinja_token_kind;

typedef struct jinja_token {
    jinja_token_kind kind;
    jinja_place place;
    jinja_string text;
    int64_t integer;
    double number;
} jinja_token;

/* ---- running ---- */

/* What a parse and a rendering have in common: memory, an error exit and a position for it. */
typedef struct jinja_state {
    icl_arena *arena;
    size_t memory_bytes_max;
    const char *template_name;
    jinja_place place; /* of what is being parsed or evaluated */
    icl_status status;
    jmp_buf exit;
} jinja_state;

typedef struct jinja_variable {
    jinja_string name;
    jinja_value value;
} jinja_variable;

typedef struct jinja_scope {
    struct jinja_scope *parent;
    jinja_variable *variables;
    size_t count, capacity;
} jinja_scope;

typedef struct jinja_render {
    jinja_state state;
    const icl_jinja *tmpl;
    const json_t *context;
    icl_text *out;
    size_t out_start; /* length of `out` before this rendering */
    jinja_scope root; /* names taken from the context and set at the top */
    jinja_scope *scope;
    size_t steps, depth;
    jinja_value captured; /* what a filter chain without a left side applies to */
} jinja_render;

typedef struct jinja_macro {
    const jinja_node *node;
    jinja_scope *scope; /* where it was defined */
} jinja_macro;

/* Evaluated arguments of a call. */
typedef struct jinja_arguments {
    jinja_value *values;
    size_t count;
    jinja_variable *keywords;
    size_t keyword_count;
} jinja_arguments;

struct icl_jinja {
    icl_arena arena;
    icl_jinja_options options;
    char *name;
    jinja_node *root;
    char **names;
    size_t name_count;
};

/* A callable of the language. `parameters` names its parameters, comma-separated, "?" before the
 * first that may be left out; NULL: it takes arguments as they come. */
typedef jinja_value jinja_call(jinja_render *render, jinja_value self, jinja_value *arguments);
typedef jinja_value jinja_free_call(jinja_render *render, jinja_value self,
                                    const jinja_arguments *arguments);

typedef struct jinja_filter {
    const char *name, *parameters;
    jinja_call *call;
    jinja_free_call *free_call;
} jinja_filter;

typedef struct jinja_test {
    const char *name;
    size_t argument_count;
    bool (*call)(jinja_render *render, jinja_value value, jinja_value argument);
} jinja_test;

typedef struct jinja_function {
    const char *name;
    jinja_free_call *call;
} jinja_function;

/* A method's entry: which kind of value has it. NULL call: known to Python, not offered here. */
typedef struct jinja_method_entry {
    jinja_kind kind;
    const char *name, *parameters;
    jinja_call *call;
    jinja_free_call *free_call;
} jinja_method_entry;

typedef struct jinja_method {
    jinja_value self;
    const jinja_method_entry *entry;
} jinja_method;

enum {
    JINJA_PARAMETERS_MAX = 8,
    JINJA_STEP_BYTES = 16, /* bytes read or written that count as a step */
};

/* jinja.c: errors and memory */
noreturn __attribute__((format(printf, 2, 3))) void icl_jinja_fail(jinja_state *state,
                                                                   const char *format, ...);
void *icl_jinja_alloc(jinja_state *state,
                      size_t bytes); /* zeroed; fails instead of returning NULL */
jinja_string icl_jinja_copy(jinja_state *state, const char *bytes, size_t length);
__attribute__((format(printf, 2, 3))) const char *icl_jinja_format(jinja_state *state,
                                                                   const char *format, ...);
void *icl_jinja_grow(jinja_state *state, void *items, size_t *capacity, size_t count,
                     size_t item_bytes);
void icl_jinja_charge(jinja_render *render, size_t steps);
void icl_jinja_charge_text(jinja_render *render, jinja_value value); /* for reading a long string */
void icl_jinja_enter(jinja_render *render); /* one level deeper; fails past ICL_JINJA_DEPTH_MAX */
void icl_jinja_leave(jinja_render *render);

/* jinja_names.c */
void icl_jinja_collect_names(jinja_state *state, icl_jinja *tmpl);

/* jinja_lexer.c */
jinja_token *icl_jinja_lex(jinja_state *state, const char *source, size_t length,
                           const icl_jinja_options *options);

/* jinja_parser.c: expressions; jinja_statements.c: the rest */
typedef struct jinja_parser {
    jinja_state *state;
    const jinja_token *at;
    size_t depth;
    size_t loop_depth;
    bool lenient; /* an unknown filter or test fails when it is reached */
} jinja_parser;

jinja_node *icl_jinja_parse_template(jinja_parser *parser);
jinja_node *icl_jinja_parse_expression(jinja_parser *parser, bool with_condition);
jinja_node *icl_jinja_parse_tuple(jinja_parser *parser, bool with_condition, const char *end_name);
jinja_node *icl_jinja_parse_filter(jinja_parser *parser, jinja_node *left); /* after the "|" */
jinja_node *icl_jinja_parse_primary(jinja_parser *parser);
jinja_node *icl_jinja_node_new(jinja_parser *parser, jinja_node_kind kind, jinja_place place);
void icl_jinja_nodes_add(jinja_parser *parser, jinja_nodes *nodes, jinja_node *node);
void icl_jinja_keywords_add(jinja_parser *parser, jinja_node *node, jinja_string name,
                            jinja_node *value);
bool icl_jinja_at_symbol(const jinja_parser *parser, const char *symbol);
bool icl_jinja_at_name(const jinja_parser *parser, const char *name);
bool icl_jinja_skip_symbol(jinja_parser *parser, const char *symbol);
bool icl_jinja_skip_name(jinja_parser *parser, const char *name);
void icl_jinja_expect_symbol(jinja_parser *parser, const char *symbol);
jinja_string icl_jinja_expect_name(jinja_parser *parser);
noreturn void icl_jinja_unexpected(jinja_parser *parser, const char *wanted);
void icl_jinja_parser_enter(jinja_parser *parser);

/* jinja_value.c */
bool icl_jinja_string_is(jinja_string string, const char *other);
bool icl_jinja_string_equal(jinja_string left, jinja_string right);
jinja_value icl_jinja_none(void);
jinja_value icl_jinja_boolean(bool boolean);
jinja_value icl_jinja_integer(int64_t integer);
jinja_value icl_jinja_count(size_t count);
jinja_value icl_jinja_float(double number);
jinja_value icl_jinja_text(jinja_string text);
__attribute__((format(printf, 2, 3))) jinja_value icl_jinja_undefined(jinja_state *state,
                                                                      const char *format, ...);
bool icl_jinja_given(jinja_value argument); /* was the optional argument passed? */
jinja_value icl_jinja_list_new(jinja_render *render, jinja_kind kind, size_t capacity);
void icl_jinja_list_add(jinja_render *render, jinja_value list, jinja_value item);
jinja_value icl_jinja_dict_new(jinja_render *render, jinja_kind kind, size_t capacity);
void icl_jinja_dict_set(jinja_render *render, jinja_dict *dict, jinja_value key, jinja_value value);
jinja_value *icl_jinja_dict_find(jinja_render *render, const jinja_dict *dict, jinja_value key);
jinja_value *icl_jinja_dict_find_text(const jinja_dict *dict, jinja_string key);
void icl_jinja_dict_remove(jinja_dict *dict, jinja_value *value);
jinja_value icl_jinja_from_json(jinja_render *render, const json_t *json);
const char *icl_jinja_kind_name(jinja_value value); /* "a list", for sentences */
bool icl_jinja_truth(jinja_render *render, jinja_value value);
void icl_jinja_require_defined(jinja_render *render, jinja_value value);
bool icl_jinja_is_lenient(const jinja_render *render,
                          jinja_value value); /* an undefined that is empty */
bool icl_jinja_is_number(jinja_value value);  /* int, float or bool */
double icl_jinja_as_double(jinja_value value);
int64_t icl_jinja_as_integer(jinja_render *render, jinja_value value, const char *what);
jinja_string icl_jinja_as_text(jinja_render *render, jinja_value value, const char *what);
bool icl_jinja_equal(jinja_render *render, jinja_value left, jinja_value right);
int icl_jinja_compare(jinja_render *render, jinja_value left, jinja_value right,
                      const char *symbol);
bool icl_jinja_contains(jinja_render *render, jinja_value container, jinja_value item);
bool icl_jinja_is_iterable(jinja_value value);
/* The items that a `for` visits, as a list of their own for text and mappings. */
jinja_list icl_jinja_iterate(jinja_render *render, jinja_value value);
size_t icl_jinja_length(jinja_render *render, jinja_value value);

/* jinja_print.c */
jinja_string icl_jinja_str(jinja_render *render, jinja_value value);
jinja_string icl_jinja_repr(jinja_render *render, jinja_value value);
size_t icl_jinja_float_repr(char out[32], double number);
void icl_jinja_write(jinja_render *render, const char *bytes, size_t length);
/* Text built up in the output buffer behind what is written already, then taken back. */
size_t icl_jinja_capture_begin(const jinja_render *render);
jinja_string icl_jinja_capture_end(jinja_render *render, size_t begin);
void icl_jinja_write_str(jinja_render *render, jinja_value value);
void icl_jinja_write_repr(jinja_render *render, jinja_value value);
void icl_jinja_write_code_point(jinja_render *render, int32_t code_point);

/* jinja_json.c */
typedef struct jinja_json_style {
    bool ascii, sort_keys;
    jinja_string indent, item_separator, key_separator;
    bool indented;
} jinja_json_style;
void icl_jinja_write_json(jinja_render *render, jinja_value value, const jinja_json_style *style,
                          size_t level);

/* jinja_string.c: text by code point */
int32_t icl_jinja_code_point(jinja_string text, size_t *at); /* moves `at` past it */
bool icl_jinja_is_space(int32_t code_point);
bool icl_jinja_is_word(int32_t code_point); /* letter, digit or underscore */
bool icl_jinja_is_digit(int32_t code_point);
size_t icl_jinja_string_count(jinja_string text);
jinja_string icl_jinja_string_range(jinja_string text, size_t begin, size_t end); /* code points */
size_t icl_jinja_string_find(jinja_string text, jinja_string part,
                             size_t from); /* bytes; SIZE_MAX */
size_t icl_jinja_string_find_last(jinja_string text, jinja_string part, size_t end);
typedef enum jinja_side { SIDE_LEFT = 1, SIDE_RIGHT = 2, SIDE_BOTH = 3 } jinja_side;
/* NULL chars: white space. */
jinja_string icl_jinja_string_strip(jinja_string text, const jinja_string *chars, jinja_side side);
typedef enum jinja_case { CASE_LOWER, CASE_UPPER, CASE_TITLE, CASE_CAPITAL, CASE_WORDS } jinja_case;
jinja_string icl_jinja_string_to_case(jinja_render *render, jinja_string text, jinja_case how);
bool icl_jinja_string_has_case(jinja_string text, bool upper); /* islower(), isupper() */
jinja_string icl_jinja_string_replace(jinja_render *render, jinja_string text, jinja_string old,
                                      jinja_string with, int64_t count);
jinja_value icl_jinja_string_split(jinja_render *render, jinja_string text,
                                   const jinja_string *part, int64_t count, bool from_right);
jinja_value icl_jinja_string_lines(jinja_render *render, jinja_string text, bool keep_ends);
bool icl_jinja_parse_integer(jinja_string text, int base, int64_t *out, bool *out_overflow);
bool icl_jinja_parse_float(jinja_string text, double *out);

/* jinja_operators.c */
jinja_value icl_jinja_binary(jinja_render *render, jinja_operator operator, jinja_value left,
                             jinja_value right);
jinja_value icl_jinja_negate(jinja_render *render, jinja_value value, bool minus);
jinja_value icl_jinja_item(jinja_render *render, jinja_value value, jinja_value index);
jinja_value icl_jinja_attribute(jinja_render *render, jinja_value value, jinja_string name);
jinja_value icl_jinja_slice(jinja_render *render, jinja_value value, jinja_value start,
                            jinja_value stop, jinja_value step);
int64_t icl_jinja_checked(jinja_render *render, jinja_operator operator, int64_t left,
                          int64_t right);

/* icl_jinja_printf.c: "%s" % value and str.format */
jinja_string icl_jinja_printf(jinja_render *render, jinja_string format, jinja_value values);
jinja_string icl_jinja_brace_format(jinja_render *render, jinja_string format,
                                    const jinja_arguments *arguments);

/* icl_jinja_run.c: statements */
void icl_jinja_run(jinja_render *render, const jinja_node *node);

/* icl_jinja_eval.c: names and expressions */
void icl_jinja_scope_push(jinja_render *render);
void icl_jinja_scope_pop(jinja_render *render);
void icl_jinja_set_name(jinja_render *render, jinja_string name, jinja_value value); /* innermost */
void icl_jinja_assign(jinja_render *render, const jinja_node *target, jinja_value value);
jinja_value icl_jinja_eval(jinja_render *render, const jinja_node *node);
jinja_value icl_jinja_call_value(jinja_render *render, jinja_value callee,
                                 const jinja_arguments *arguments);
/* Puts arguments in the order of `parameters`; those not passed have !icl_jinja_given(). */
void icl_jinja_bind(jinja_render *render, const char *callee, const char *parameters,
                    const jinja_arguments *arguments, jinja_value out[JINJA_PARAMETERS_MAX]);

/* jinja_filters.c, jinja_sequences.c, jinja_tests.c, jinja_methods.c, jinja_functions.c */
extern const jinja_filter icl_jinja_text_filters[];
extern const jinja_filter icl_jinja_sequence_filters[];
/* NULL when unknown; icl_jinja_filter_require() fails instead. */
const jinja_filter *icl_jinja_filter_find(jinja_string name);
const jinja_filter *icl_jinja_filter_require(jinja_state *state, jinja_string name);
jinja_value icl_jinja_filter_apply(jinja_render *render, const jinja_filter *filter,
                                   jinja_value self, const jinja_arguments *arguments);
const jinja_test *icl_jinja_test_find(jinja_string name);
const jinja_test *icl_jinja_test_require(jinja_state *state, jinja_string name);
bool icl_jinja_test_apply(jinja_render *render, const jinja_test *test, jinja_value value,
                          const jinja_arguments *arguments);
extern const jinja_method_entry icl_jinja_container_methods[];
const jinja_method_entry *icl_jinja_method_find(jinja_kind kind, jinja_string name);
const jinja_function *icl_jinja_function_find(const icl_jinja_options *options, jinja_string name);

#endif
