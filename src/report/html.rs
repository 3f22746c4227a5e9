//! `report.html`: one page that needs nothing but itself. Text goes through a template that escapes; pictures are inline SVG.

use super::content::Content;
use super::facts::Facts;
use super::figure::{self, Figure};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Value, context};
use std::collections::BTreeMap;

/// Pictures of all datasets together, in bytes: the page stays well under 5 MB, so that it opens at once and fits a CI artefact.
const PICTURE_BUDGET: usize = 3_500_000;

/// The whole page.
pub(super) fn render(facts: &Facts, content: &Content) -> Result<String, String> {
    let page = serde_json::to_value(content).map_err(|error| error.to_string())?;
    let mut budget = PICTURE_BUDGET;
    let pictures = content.datasets.iter().map(|dataset| within(&mut budget, figure::of_dataset(facts, &dataset.id)));
    let pictures: Vec<Value> = pictures.collect();
    let overall: Vec<Value> = figure::of_scores(facts).into_iter().map(picture).collect();
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| said(&error))?);
    let parts = [("page", include_str!("page.html.j2")), ("parts", include_str!("parts.html.j2"))];
    for (name, source) in parts {
        environment.add_template(name, source).map_err(|error| said(&error))?;
    }
    let template = environment.get_template("page").map_err(|error| said(&error))?;
    template
        .render(context! {
            page => value(&page),
            pictures => pictures,
            overall => overall,
            style => Value::from_safe_string(include_str!("style.css").to_owned()),
            script => Value::from_safe_string(include_str!("filter.js").to_owned()),
        })
        .map_err(|error| said(&error))
}

fn said(error: &minijinja::Error) -> String {
    format!("{error:#}")
}

/// The pictures that still fit; a later dataset goes without rather than making the page heavy.
fn within(budget: &mut usize, figures: Vec<Figure>) -> Value {
    let size: usize = figures.iter().map(|figure| figure.svg.len()).sum();
    if size > *budget {
        return context! { left_out => figures.len(), figures => Vec::<Value>::new() };
    }
    *budget -= size;
    context! { left_out => 0, figures => figures.into_iter().map(picture).collect::<Vec<Value>>() }
}

fn picture(figure: Figure) -> Value {
    let keys: Vec<Value> = figure.keys.into_iter().map(|(colour, text)| context! { colour => colour, text => text }).collect();
    context! { title => figure.title, caption => figure.caption, keys => keys, svg => Value::from_safe_string(figure.svg) }
}

/// JSON as the template engine's value; its own serde support is not compiled in.
fn value(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::from(number.as_f64().unwrap_or(f64::NAN)), Value::from),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(value).collect::<Vec<Value>>()),
        Json::Object(entries) => {
            Value::from(entries.iter().map(|(key, entry)| (key.clone(), value(entry))).collect::<BTreeMap<String, Value>>())
        }
    }
}
