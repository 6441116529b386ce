#include "pipeline/prompting.h"

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
