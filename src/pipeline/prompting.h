/* pipeline/prompting.h - from a task and its examples to what prompts are made of. */
#ifndef ICL_PIPELINE_PROMPTING_H
#define ICL_PIPELINE_PROMPTING_H

#include <jansson.h>

#include <icl/run.h>

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

#endif
