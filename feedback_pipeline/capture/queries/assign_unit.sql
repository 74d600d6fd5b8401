SELECT variant, propensity, leaf FROM assign_unit($1, $2, $3, $4, $5, $6, $7)
