//! Pages of a listing, altered as text: what is not altered stays as the server wrote it.

use std::ops::Range;

const OPEN: &str = "<Contents>";
const CLOSE: &str = "</Contents>";

/// The text within the first element of this name that has no attributes.
fn within(page: &str, name: &str) -> Option<Range<usize>> {
    let open = format!("<{name}>");
    let start = page.find(&open)? + open.len();
    let length = page.get(start..)?.find(&format!("</{name}>"))?;
    Some(start..start + length)
}

/// The token that asks for the next page.
pub(super) fn next_token(page: &str) -> Option<String> {
    let token = page.get(within(page, "NextContinuationToken")?)?;
    // S3's tokens are base64 or keys: of XML's escapes only the named ones are to be met.
    let escapes =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#34;", "\""), ("&#39;", "'")];
    let plain = escapes.iter().fold(token.to_owned(), |text, (escape, plain)| text.replace(escape, plain));
    Some(plain.replace("&amp;", "&"))
}

/// Where its `<Contents>` elements are.
fn elements(page: &str) -> Vec<Range<usize>> {
    let starts = page.match_indices(OPEN).map(|(start, _)| start);
    starts
        .filter_map(|start| {
            let length = page.get(start..)?.find(CLOSE)? + CLOSE.len();
            Some(start..start + length)
        })
        .collect()
}

/// Its `<Contents>` elements, one behind the other.
pub(super) fn contents(page: &str) -> String {
    elements(page).into_iter().filter_map(|element| page.get(element)).collect()
}

/// The page with more `<Contents>` elements in front of its own. None where it cannot hold any.
pub(super) fn with_in_front(page: &str, more: &str) -> Option<String> {
    let place = page.find(OPEN).or_else(|| page.rfind("</ListBucketResult>"))?;
    let mut altered = page.to_owned();
    altered.insert_str(place, more);
    let added = i64::try_from(elements(more).len()).ok()?;
    Some(with_key_count(altered, added))
}

/// The page without its first so many `<Contents>` elements. None where it has none.
pub(super) fn without_first(page: &str, count: u32) -> Option<String> {
    let mut elements = elements(page);
    elements.truncate(usize::try_from(count).ok()?);
    let removed = i64::try_from(elements.len()).ok().filter(|removed| *removed > 0)?;
    let mut altered = page.to_owned();
    for element in elements.into_iter().rev() {
        altered.replace_range(element, "");
    }
    Some(with_key_count(altered, -removed))
}

/// The page with its number of keys altered by so many, where it says one.
fn with_key_count(mut page: String, by: i64) -> String {
    if let Some(place) = within(&page, "KeyCount")
        && let Some(count) = page.get(place.clone()).and_then(|count| count.trim().parse::<i64>().ok())
    {
        page.replace_range(place, &(count + by).to_string());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<?xml?><ListBucketResult xmlns=\"x\"><KeyCount>2</KeyCount><Contents><Key>a</Key></Contents>\n\
        <NextContinuationToken>a&amp;lt;b=</NextContinuationToken><Contents><Key>b</Key></Contents></ListBucketResult>";

    #[test]
    fn a_token_is_unescaped_once() {
        assert_eq!(next_token(PAGE).as_deref(), Some("a&lt;b="));
        assert_eq!(next_token("<ListBucketResult></ListBucketResult>"), None);
    }

    #[test]
    fn objects_are_put_in_front_and_counted() {
        let altered = with_in_front(PAGE, "<Contents><Key>0</Key></Contents>").unwrap();
        assert!(altered.contains("<KeyCount>3</KeyCount><Contents><Key>0</Key></Contents><Contents><Key>a<"));
        let empty = with_in_front("<ListBucketResult></ListBucketResult>", "<Contents></Contents>");
        assert_eq!(empty.unwrap(), "<ListBucketResult><Contents></Contents></ListBucketResult>");
        assert_eq!(with_in_front("<Error/>", "<Contents></Contents>"), None);
    }

    #[test]
    fn the_first_objects_are_left_out_and_not_counted() {
        let altered = without_first(PAGE, 1).unwrap();
        assert!(altered.contains("<KeyCount>1</KeyCount>\n<NextContinuationToken>"));
        assert_eq!(contents(&altered), "<Contents><Key>b</Key></Contents>");
        assert_eq!(contents(&without_first(PAGE, 9).unwrap()), "");
        assert_eq!(without_first("<ListBucketResult></ListBucketResult>", 1), None);
        assert_eq!(without_first(PAGE, 0), None);
    }
}
