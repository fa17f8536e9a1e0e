//! The table of datasets: everything that tells one from another stands here and nowhere else.

use records::topic;

use crate::schema::ColumnType;

/// A column that a dataset knows by itself: a field of its protobuf message.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnColumn {
    /// Name in the schema, and in the file unless the schema says otherwise.
    pub name: &'static str,
    /// For people: what it is.
    pub description: &'static str,
    /// Its type; `String` or `Timestamp`.
    pub column_type: ColumnType,
    /// True where a row without it is refused.
    pub required: bool,
    /// Field number in the message.
    pub field: u32,
    /// What it is often called elsewhere, in letters and digits of lower case, the likeliest first.
    pub aliases: &'static [&'static str],
}

/// One of the datasets.
#[derive(Debug, PartialEq, Eq)]
pub struct DatasetKind {
    /// As in the schema's JSON form.
    pub name: &'static str,
    /// For people.
    pub display_name: &'static str,
    /// For people: what its rows are.
    pub description: &'static str,
    /// For people: what one row might say.
    pub example: &'static str,
    /// Where its records go.
    pub topic: &'static str,
    /// Full name of its protobuf message.
    pub message: &'static str,
    /// Its own columns; the first is the subject, whose value is the record's key.
    pub columns: &'static [OwnColumn],
    /// True where a column besides the subject is needed, whatever its name.
    pub needs_another_column: bool,
    /// A column that has one value for each subject of a file; another one is warned of.
    pub single_valued: Option<&'static str>,
    /// The columns whose values are ids of people: a row is refused where one of them is on its account's deletion list.
    pub people: &'static [&'static str],
}

type Aliases = &'static [&'static str];

const USER: Aliases = &["user", "uid", "customerid", "customer", "memberid", "clientid", "visitorid"];
const ITEM: Aliases = &["item", "productid", "product", "sku", "contentid", "articleid"];
const TIME: Aliases =
    &["time", "ts", "eventtime", "eventtimestamp", "datetime", "occurredat", "createdat", "date"];
const TYPE: Aliases = &["eventtype", "event", "eventname", "action", "kind"];
const ORIGINAL: Aliases = &["original", "sourceid", "fromid", "oldid"];
const MAPPED: Aliases = &["mapped", "targetid", "toid", "newid"];

/// Name, description, type, field, aliases.
type Own = (&'static str, &'static str, ColumnType, u32, Aliases);

const fn required((name, description, column_type, field, aliases): Own) -> OwnColumn {
    OwnColumn { name, description, column_type, required: true, field, aliases }
}

const fn known((name, description, column_type, field, aliases): Own) -> OwnColumn {
    OwnColumn { name, description, column_type, required: false, field, aliases }
}

static EVENTS: DatasetKind = DatasetKind {
    name: "EVENTS",
    display_name: "Events",
    description: "Timestamped actions taken by your users.",
    example: "Customer ABC completes a purchase event at time T.",
    topic: topic::EVENTS,
    message: "cortex.records.v1.Event",
    columns: &[
        required(("user_id", "Your id of the user who acted.", ColumnType::String, 2, USER)),
        required((
            "timestamp",
            "When it happened: ISO 8601, or Unix time in seconds to nanoseconds.",
            ColumnType::Timestamp,
            3,
            TIME,
        )),
        required(("type", "What the user did, such as purchase or page_view.", ColumnType::String, 4, TYPE)),
        known((
            "item_id",
            "Your id of the item that the user acted on, as in your Items.",
            ColumnType::String,
            5,
            ITEM,
        )),
    ],
    needs_another_column: false,
    single_valued: None,
    people: &["user_id"],
};

static ATTRIBUTES: DatasetKind = DatasetKind {
    name: "ATTRIBUTES",
    display_name: "Attributes",
    description: "Characteristics or traits of your users.",
    example: "Customer ABC has job title 'Professor', and age 49.",
    topic: topic::ATTRIBUTES,
    message: "cortex.records.v1.Attributes",
    columns: &[
        required((
            "user_id",
            "Your id of the user whom the other columns describe.",
            ColumnType::String,
            2,
            USER,
        )),
        known((
            "timestamp",
            "As of when the values hold: ISO 8601, or Unix time in seconds to nanoseconds.",
            ColumnType::Timestamp,
            3,
            TIME,
        )),
    ],
    needs_another_column: true,
    single_valued: None,
    people: &["user_id"],
};

static ITEMS: DatasetKind = DatasetKind {
    name: "ITEMS",
    display_name: "Items",
    description: "Metadata attributes for the items that your users interact with, via events.",
    example: "Item XYZ has category 'shoes', and price 49.99.",
    topic: topic::ITEMS,
    message: "cortex.records.v1.Item",
    columns: &[required((
        "item_id",
        "Your id of the item that the other columns describe, as events name it.",
        ColumnType::String,
        2,
        ITEM,
    ))],
    needs_another_column: true,
    single_valued: None,
    people: &[],
};

static ID_MAPPINGS: DatasetKind = DatasetKind {
    name: "ID_MAPPINGS",
    display_name: "ID Mappings",
    description: "Associations between one set of IDs and another.",
    example: "Customer ABC has cookie ID 123.",
    topic: topic::ID_MAPPINGS,
    message: "cortex.records.v1.IdMapping",
    columns: &[
        required((
            "original_id",
            "The id that is mapped, such as a user id.",
            ColumnType::String,
            2,
            ORIGINAL,
        )),
        required((
            "mapped_id",
            "The id that it is mapped to, such as a cookie id.",
            ColumnType::String,
            3,
            MAPPED,
        )),
    ],
    needs_another_column: false,
    single_valued: Some("mapped_id"),
    people: &["original_id", "mapped_id"],
};

impl DatasetKind {
    /// Timestamped actions of users.
    pub const EVENTS: &'static DatasetKind = &EVENTS;
    /// Traits of users.
    pub const ATTRIBUTES: &'static DatasetKind = &ATTRIBUTES;
    /// Metadata of the items that events name.
    pub const ITEMS: &'static DatasetKind = &ITEMS;
    /// One ID space to another.
    pub const ID_MAPPINGS: &'static DatasetKind = &ID_MAPPINGS;
    /// All of them, in the order in which they are shown.
    pub const ALL: [&'static DatasetKind; 4] = [&EVENTS, &ATTRIBUTES, &ITEMS, &ID_MAPPINGS];

    /// The dataset of that name, in any case, `-` and `_` alike.
    pub fn by_name(name: &str) -> Option<&'static DatasetKind> {
        let name = name.trim().to_ascii_uppercase().replace(['-', ' '], "_");
        Self::ALL.into_iter().find(|kind| kind.name == name)
    }

    /// The dataset's own column of that name.
    pub fn own(&self, name: &str) -> Option<&'static OwnColumn> {
        self.columns.iter().find(|own| own.name == name)
    }

    /// The column whose value is the record's key.
    pub fn subject(&self) -> &'static str {
        self.columns.first().map_or("", |column| column.name)
    }
}
