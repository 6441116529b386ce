#include "template/jinja.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "template/jinja_internal.h"

void icl_jinja_fail(jinja_state *state, const char *format, ...)
{
    char message[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    state->status = icl_error_set(ICL_EPARSE, "%s:%u:%u: %s", state->template_name,
                                  state->place.line, state->place.column, message);
    longjmp(state->exit, 1);
}

void *icl_jinja_alloc(jinja_state *state, size_t bytes)
{
    if (bytes > state->memory_bytes_max ||
        state->arena->allocated_bytes > state->memory_bytes_max - bytes)
        icl_jinja_fail(state, "needs more than %zu MiB of memory", state->memory_bytes_max >> 20);
    void *piece = icl_arena_alloc(state->arena, bytes);
    if (piece == NULL) {
        state->status = icl_error_set(ICL_ENOMEM, "%s: out of memory", state->template_name);
        longjmp(state->exit, 1);
    }
    return piece;
}

jinja_string icl_jinja_copy(jinja_state *state, const char *bytes, size_t length)
{
    char *copy = icl_jinja_alloc(state, length + 1);
    if (length > 0) memcpy(copy, bytes, length);
    return (jinja_string){ copy, length };
}

const char *icl_jinja_format(jinja_state *state, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return icl_jinja_copy(state, message, strlen(message)).bytes;
}

void *icl_jinja_grow(jinja_state *state, void *items, size_t *capacity, size_t count,
                     size_t item_bytes)
{
    if (count < *capacity) return items;
    const size_t wanted = *capacity < 4 ? 4 : *capacity * 2;
    void *grown = icl_jinja_alloc(state, wanted * item_bytes);
    if (count > 0) memcpy(grown, items, count * item_bytes);
    *capacity = wanted;
    return grown;
}

void icl_jinja_charge(jinja_render *render, size_t steps)
{
    render->steps += steps;
    if (render->steps > ICL_JINJA_STEPS_MAX)
        icl_jinja_fail(&render->state, "takes more than %d steps", ICL_JINJA_STEPS_MAX);
}

void icl_jinja_charge_text(jinja_render *render, jinja_value value)
{
    if (value.kind == JINJA_TEXT) icl_jinja_charge(render, value.text.length / JINJA_STEP_BYTES);
}

void icl_jinja_enter(jinja_render *render)
{
    if (++render->depth > ICL_JINJA_DEPTH_MAX)
        icl_jinja_fail(&render->state, "nests deeper than %d levels", ICL_JINJA_DEPTH_MAX);
}

void icl_jinja_leave(jinja_render *render)
{
    assert(render->depth > 0);
    render->depth--;
}

/* The place of a byte, for errors found before there are tokens. */
static jinja_place place_of(const char *source, size_t offset)
{
    jinja_place place = { 1, 1 };
    for (size_t i = 0; i < offset; i++) {
        if (source[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)source[i] & 0xC0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

static void parse(jinja_state *state, icl_jinja *tmpl, const char *source, size_t length)
{
    if (length > ICL_JINJA_SOURCE_BYTES_MAX)
        icl_jinja_fail(state, "template has %zu bytes, more than %d", length,
                       ICL_JINJA_SOURCE_BYTES_MAX);
    const size_t valid = icl_utf8_valid_length(source, length);
    if (valid < length) {
        state->place = place_of(source, valid);
        icl_jinja_fail(state, "byte 0x%02x is not valid UTF-8", (unsigned char)source[valid]);
    }
    jinja_parser parser = { .state = state, .lenient = tmpl->options.lenient_undefined };
    parser.at = icl_jinja_lex(state, source, length, &tmpl->options);
    tmpl->root = icl_jinja_parse_template(&parser);
    icl_jinja_collect_names(state, tmpl);
}

icl_status icl_jinja_parse_with(icl_jinja **out, const char *source, size_t length,
                                const char *name, const icl_jinja_options *options)
{
    icl_jinja *tmpl = calloc(1, sizeof *tmpl);
    if (tmpl == NULL) return icl_error_set(ICL_ENOMEM, "%s: out of memory", name);
    tmpl->options = *options;
    tmpl->name = icl_string_copy(name, strlen(name));
    if (tmpl->name == NULL) {
        icl_jinja_free(tmpl);
        return icl_error_set(ICL_ENOMEM, "%s: out of memory", name);
    }
    jinja_state state = { .arena = &tmpl->arena,
                          .memory_bytes_max = ICL_JINJA_MEMORY_BYTES_MAX,
                          .template_name = tmpl->name,
                          .place = { 1, 1 } };
    if (setjmp(state.exit) != 0) {
        icl_jinja_free(tmpl);
        return state.status;
    }
    parse(&state, tmpl, source, length);
    *out = tmpl;
    return ICL_OK;
}

icl_status icl_jinja_parse(icl_jinja **out, const char *source, size_t length, const char *name)
{
    const icl_jinja_options strict = { 0 };
    return icl_jinja_parse_with(out, source, length, name, &strict);
}

void icl_jinja_free(icl_jinja *tmpl)
{
    if (tmpl == NULL) return;
    icl_arena_deinit(&tmpl->arena);
    free(tmpl->name);
    free(tmpl);
}

icl_status icl_jinja_render(icl_text *out, const icl_jinja *tmpl, const json_t *context)
{
    assert(json_is_object(context));
    if (out->failed) return icl_text_status(out);
    icl_arena arena = { 0 };
    jinja_render render = { .state = { .arena = &arena,
                                       .memory_bytes_max = ICL_JINJA_MEMORY_BYTES_MAX,
                                       .template_name = tmpl->name,
                                       .place = { 1, 1 } },
                            .tmpl = tmpl,
                            .context = context,
                            .out = out,
                            .out_start = out->length };
    render.scope = &render.root;
    if (setjmp(render.state.exit) == 0) {
        icl_jinja_run(&render, tmpl->root);
    } else if (out->bytes != NULL) {
        out->length = render.out_start;
        out->bytes[out->length] = '\0';
        out->failed = false;
    }
    icl_arena_deinit(&arena);
    return render.state.status;
}

size_t icl_jinja_name_count(const icl_jinja *tmpl)
{
    return tmpl->name_count;
}

const char *icl_jinja_name_at(const icl_jinja *tmpl, size_t index)
{
    assert(index < tmpl->name_count);
    return tmpl->names[index];
}

const char *icl_jinja_tail(const icl_jinja *tmpl, size_t *out_length)
{
    const jinja_nodes *items = &tmpl->root->items;
    const jinja_node *last = items->count > 0 ? items->at[items->count - 1] : NULL;
    if (last == NULL || last->kind != NODE_DATA) {
        *out_length = 0;
        return "";
    }
    *out_length = last->name.length;
    return last->name.bytes;
}
