#include "train/episode.h"

static const icl_episode_template templates[] = {
    { "Text: ", "\nLabel:", 2 },
    { "Review: ", "\nSentiment:", 2 },
    { "Article: ", "\nAnswer:", 2 },
    { "Question: ", "\nAnswer Type:", 2 },
    { "Query: ", "\nIntent:", 2 },
    { "Sentence: ", "\nClass:", 2 },
    { "Input: ", "\nOutput:", 2 },
    { "Tweet: ", "\nFeeling:", 2 },
    { "", " ->", 1 },
    { "Text: ", "\nTopic:", 2 },
    { "Utterance: ", "\nIntent:", 2 },
    { "Passage: ", "\nCategory:", 2 },
    { "Q: ", "\nA:", 2 },
    { "Message: ", "\nType:", 2 },
    { "Headline: ", "\nSection:", 2 },
    { "Statement: ", "\nKind:", 2 },
    { "Comment: ", "\nTone:", 2 },
    { "x: ", "\ny:", 2 },
    { "Example: ", "\nGroup:", 2 },
    { "Phrase: ", "\nTag:", 2 },
    { "Request: ", "\nAction:", 2 },
    { "", " =", 1 },
    { "Document: ", "\nLabel:", 2 },
    { "[", "] is", 1 },
};

const icl_episode_template *icl_episode_templates(size_t *out_count)
{
    *out_count = sizeof templates / sizeof *templates;
    return templates;
}
