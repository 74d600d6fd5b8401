SELECT version, template, digest, since FROM labelled_prompt($1, $2, $3)
