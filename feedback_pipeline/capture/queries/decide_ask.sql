SELECT asked, probability FROM decide_ask($1, $2, $3, $4, $5, $6, $7)
