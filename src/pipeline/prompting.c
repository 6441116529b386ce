#include "pipeline/prompting.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "data/example.h"

icl_status icl_prompting_template(icl_jinja **out, const icl_task *task)
{
    const char *source = icl_task_text(task, ICL_TASK_TEMPLATE);
    return icl_jinja_parse(out, source, strlen(source), "template");
}

icl_prompter_options icl_prompting_options(const icl_task *task, icl_boundary boundary,
                                           icl_overflow overflow, bool chat)
{
    static const icl_join joins[] = { [ICL_BOUNDARY_JOINT] = ICL_JOIN_JOINT,
                                      [ICL_BOUNDARY_SEPARATE] = ICL_JOIN_SEPARATE,
                                      [ICL_BOUNDARY_HEAL] = ICL_JOIN_HEAL };
    static const icl_drop drops[] = { [ICL_OVERFLOW_DROP_FAR] = ICL_DROP_FAR,
                                      [ICL_OVERFLOW_DROP_NEAR] = ICL_DROP_NEAR,
                                      [ICL_OVERFLOW_ERROR] = ICL_DROP_NEVER };
    return (icl_prompter_options){
        .instruction = icl_task_text(task, ICL_TASK_INSTRUCTION),
        .answer_prefix = icl_task_text(task, ICL_TASK_ANSWER_PREFIX),
        .separator = icl_task_text(task, ICL_TASK_SEPARATOR),
        .join = joins[boundary],
        .drop = drops[overflow],
        .chat = chat,
    };
}

icl_status icl_prompting_render(char **out, const icl_jinja *template, const json_t *row,
                                const char *source, size_t line)
{
    icl_text text = { 0 };
    icl_status status = icl_jinja_render(&text, template, row);
    if (status == ICL_OK) status = icl_text_status(&text);
    if (status != ICL_OK) {
        icl_text_deinit(&text);
        return icl_error_prefix(status, "%s:%zu", source, line);
    }
    *out = icl_text_take(&text, NULL);
    return *out != NULL ? ICL_OK : icl_error_set(ICL_ENOMEM, "out of memory for a prompt");
}

icl_status icl_prompting_render_all(char **out, const icl_jinja *template,
                                    const icl_dataset *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const icl_example *example = icl_dataset_at(examples, i);
        ICL_TRY(icl_prompting_render(&out[i], template, icl_example_row(example),
                                     icl_dataset_name(examples), icl_example_line(example)));
    }
    return ICL_OK;
}

/* A row of the examples with other values in its input fields; step 0: one value for all of them,
 * 1: one for each. */
static icl_status render_replaced(char **out, const icl_jinja *template, const icl_task *task,
                                  const icl_dataset *examples, size_t index,
                                  const char *const *values, size_t step)
{
    const icl_example *like = icl_dataset_at(examples, index);
    json_t *row = json_copy((json_t *)icl_example_row(like));
    if (row == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a prompt");
    for (size_t i = 0; i < icl_task_input_field_count(task); i++)
        json_object_set_new(row, icl_task_input_field(task, i), json_string(values[i * step]));
    const icl_status status = icl_prompting_render(out, template, row, icl_dataset_name(examples),
                                                   icl_example_line(like));
    json_decref(row);
    return status;
}

/* ---- content-free inputs ---- */

static bool template_uses(const icl_jinja *template, const char *field)
{
    for (size_t i = 0; i < icl_jinja_name_count(template); i++)
        if (strcmp(icl_jinja_name_at(template, i), field) == 0) return true;
    return false;
}

static icl_status check_uses_input(const icl_jinja *template, const icl_task *task)
{
    for (size_t i = 0; i < icl_task_input_field_count(task); i++)
        if (template_uses(template, icl_task_input_field(task, i))) return ICL_OK;
    return icl_error_set(
        ICL_EINVAL,
        "task \"%s\": content-free prompts cannot be made, since the template uses "
        "none of the input fields",
        icl_task_text(task, ICL_TASK_NAME));
}

icl_status icl_prompting_render_content_free(char **out, const icl_jinja *template,
                                             const icl_task *task, const icl_dataset *examples,
                                             size_t index, size_t which)
{
    ICL_TRY(check_uses_input(template, task));
    const char *input = icl_content_free_inputs[which];
    const icl_status status = render_replaced(out, template, task, examples, index, &input, 0);
    return status == ICL_OK ? ICL_OK : icl_error_prefix(status, "content-free input \"%s\"", input);
}

icl_status icl_prompting_render_values(char **out, const icl_jinja *template, const icl_task *task,
                                       const icl_dataset *examples, size_t index,
                                       const char *const *values)
{
    ICL_TRY(check_uses_input(template, task));
    return render_replaced(out, template, task, examples, index, values, 1);
}

/* ---- what the template writes whatever the item ---- */

/* U+FDD0, which no text may hold. */
static const char FIELD_MARK[] = "\xEF\xB7\x90";

static icl_status keep_content_free(icl_template_forms *forms, const icl_jinja *template,
                                    const icl_task *task, const icl_dataset *examples)
{
    icl_status status = ICL_OK;
    for (size_t i = 0; i < ICL_CONTENT_FREE_COUNT && status == ICL_OK; i++)
        status = icl_prompting_render_content_free(&forms->content_free[i], template, task,
                                                   examples, 0, i);
    if (status == ICL_OK || status == ICL_ENOMEM) return status;
    const char *sentence = icl_error_message();
    forms->refusal = icl_string_copy(sentence, strlen(sentence));
    return forms->refusal != NULL ? ICL_OK : icl_error_set(ICL_ENOMEM, "out of memory");
}

static icl_status split_at_fields(icl_template_forms *forms, const char *text)
{
    enum { MARK_BYTES = sizeof FIELD_MARK - 1 };
    size_t fields = 0;
    for (const char *at = text; (at = strstr(at, FIELD_MARK)) != NULL; at += MARK_BYTES) fields++;
    if (fields == 0) return ICL_OK;
    forms->frame = calloc(fields + 1, sizeof *forms->frame);
    if (forms->frame == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a prompt");
    while (forms->frame_count <= fields) {
        const char *mark = strstr(text, FIELD_MARK);
        const size_t length = mark != NULL ? (size_t)(mark - text) : strlen(text);
        char *part = icl_string_copy(text, length);
        if (part == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a prompt");
        forms->frame[forms->frame_count++] = part;
        if (mark != NULL) text = mark + MARK_BYTES;
    }
    return ICL_OK;
}

/* A template that takes only certain inputs has no frame. */
static icl_status keep_frame(icl_template_forms *forms, const icl_jinja *template,
                             const icl_task *task, const icl_dataset *examples)
{
    char *text = NULL;
    const char *const mark = FIELD_MARK;
    icl_status status = render_replaced(&text, template, task, examples, 0, &mark, 0);
    if (status == ICL_OK)
        status = split_at_fields(forms, text);
    else if (status != ICL_ENOMEM)
        status = ICL_OK;
    free(text);
    return status;
}

icl_status icl_template_forms_init(icl_template_forms *out, const icl_jinja *template,
                                   const icl_task *task, const icl_dataset *examples)
{
    icl_template_forms forms = { 0 };
    icl_status status = keep_content_free(&forms, template, task, examples);
    if (status == ICL_OK) status = keep_frame(&forms, template, task, examples);
    if (status == ICL_OK)
        *out = forms;
    else
        icl_template_forms_deinit(&forms);
    return status;
}

void icl_template_forms_deinit(icl_template_forms *forms)
{
    for (size_t i = 0; i < ICL_CONTENT_FREE_COUNT; i++) free(forms->content_free[i]);
    free(forms->refusal);
    for (size_t i = 0; i < forms->frame_count; i++) free(forms->frame[i]);
    free(forms->frame);
    *forms = (icl_template_forms){ 0 };
}
