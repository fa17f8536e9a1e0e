//! What a dataset is: schema, column types, a row checked into a typed record or a refusal
