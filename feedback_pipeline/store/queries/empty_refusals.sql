UPDATE refusal SET payload = NULL WHERE day = :day AND payload IS NOT NULL
