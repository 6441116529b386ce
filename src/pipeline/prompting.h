/* pipeline/prompting.h - from a task and its examples to what prompts are made of. */
#ifndef ICL_PIPELINE_PROMPTING_H
#define ICL_PIPELINE_PROMPTING_H

#include <jansson.h>

#include <icl/run.h>

#include "template/ask.h"
#include "template/jinja.h"
#include "template/prompt.h"

/* The task's template. *out is yours: icl_jinja_free. */
icl_status icl_prompting_template(icl_jinja **out, const icl_task *task);

/* The prompt policy; texts are borrowed from the task. */
icl_prompter_options icl_prompting_options(const icl_task *task, icl_boundary boundary,
                                           icl_overflow overflow, bool chat);

/* One row as text; malloc'd, yours. What the template refuses is said with `source` and `line`. */
icl_status icl_prompting_render(char **out, const icl_jinja *template, const json_t *row,
                                const char *source, size_t line);

/* The first `count` examples as text. out [count] holds NULLs; each text is yours, those written
 * before a failure too. */
icl_status icl_prompting_render_all(char **out, const icl_jinja *template,
                                    const icl_dataset *examples, size_t count);

/* Content-free input `which` with the other fields of row `index` of `examples`; malloc'd, yours.
 * ICL_EINVAL when the template uses none of the task's input fields, for then the "content-free"
 * input would carry the content. */
icl_status icl_prompting_render_content_free(char **out, const icl_jinja *template,
                                             const icl_task *task, const icl_dataset *examples,
                                             size_t index, size_t which);

/* The same with values [input fields of the task] of the caller's. */
icl_status icl_prompting_render_values(char **out, const icl_jinja *template, const icl_task *task,
                                       const icl_dataset *examples, size_t index,
                                       const char *const *values);

/* What the template writes whatever the item, with the other fields of the first example. */
typedef struct icl_template_forms {
    char *content_free[ICL_CONTENT_FREE_COUNT]; /* NULL: refused */
    char *refusal;      /* why, a sentence for who asks about them; NULL: none is refused */
    char **frame;       /* [frame_count] before, between and after the input fields */
    size_t frame_count; /* 0: it shows no input field as it stands */
} icl_template_forms;

/* ICL_ENOMEM. On success *out is yours: icl_template_forms_deinit. */
icl_status icl_template_forms_init(icl_template_forms *out, const icl_jinja *template,
                                   const icl_task *task, const icl_dataset *examples);
void icl_template_forms_deinit(icl_template_forms *forms);

#endif
