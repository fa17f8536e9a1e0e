use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

/// What a list lets through: conditions that all hold. Made of this crate's own constants; values are bound.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    conditions: Vec<(String, Option<String>)>,
}

impl Filter {
    /// Adds a condition without a value.
    pub(crate) fn and(&mut self, condition: &'static str) {
        self.conditions.push((condition.to_owned(), None));
    }

    /// Adds a condition with a text in it, where `{}` stands.
    pub(crate) fn and_text(&mut self, condition: String, value: String) {
        self.conditions.push((condition, Some(value)));
    }

    /// ` AND …` for every condition; parameters are counted from `first`.
    pub(super) fn conditions(&self, first: usize) -> String {
        let mut next = first;
        let mut text = String::new();
        for (condition, value) in &self.conditions {
            text.push_str(" AND ");
            if value.is_some() {
                text.push_str(&condition.replace("{}", &format!("${next}")));
                next += 1;
            } else {
                text.push_str(condition);
            }
        }
        text
    }

    /// Binds the values in the order of [`Filter::conditions`], behind those that are bound already.
    pub(super) fn bind<'q>(&self, mut query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        for value in self.conditions.iter().filter_map(|(_, value)| value.clone()) {
            query = query.bind(value);
        }
        query
    }
}
