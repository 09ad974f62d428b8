//! Where the images of a batch go, while they pass from plugin to plugin.

use std::collections::HashMap;
use std::sync::Arc;

use change::{Route, Routing};

use crate::transfer::RowRoutes;

/// The routes of the images so far.
pub(crate) struct Routes {
    routes: Vec<Route>,
    /// For each image an index into `routes`; none = all go the first way.
    images: Option<Vec<u32>>,
}

impl Routes {
    /// All one way.
    pub(crate) fn whole(route: Route) -> Self {
        Self { routes: vec![route], images: None }
    }

    /// Sets variables for all images.
    pub(crate) fn set(&mut self, variables: &[(String, String)]) {
        if variables.is_empty() {
            return;
        }
        for route in &mut self.routes {
            *route = route.with(variables.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        }
    }

    /// Sets variables image by image. `picked` are the images that the rows stand for, in order;
    /// none = all. The others keep their way.
    pub(crate) fn set_rows(&mut self, rows: &RowRoutes, picked: Option<&[u32]>, images: usize) {
        let old = self.images.take().unwrap_or_else(|| vec![0; images]);
        let mut next = NextRoutes::default();
        let mut row_of = RowOf { picked, at: 0 };
        let mut indexes = Vec::with_capacity(images);
        for (image, old) in old.into_iter().enumerate() {
            let variables = row_of.row(image).and_then(|row| rows.rows.get(row).copied());
            indexes.push(next.index(&self.routes, rows, old, variables));
        }
        self.routes = next.routes;
        self.images = Some(indexes);
    }

    /// As the batch leaves the chain. `base`: the plan's own route.
    pub(crate) fn finish(self, base: &Arc<Route>) -> Routing {
        match self.images {
            None => Routing::Whole(Arc::clone(base)),
            Some(images) => {
                let routes = self.routes.into_iter().map(Arc::new).collect();
                Routing::PerImage { routes, images }
            }
        }
    }
}

/// The row of an answer that stands for an image, asked in the order of images.
struct RowOf<'a> {
    picked: Option<&'a [u32]>,
    at: usize,
}

impl RowOf<'_> {
    fn row(&mut self, image: usize) -> Option<usize> {
        let Some(picked) = self.picked else { return Some(image) };
        let row = self.at;
        if picked.get(row).is_some_and(|p| *p as usize == image) {
            self.at += 1;
            return Some(row);
        }
        None
    }
}

#[derive(Default)]
struct NextRoutes {
    routes: Vec<Route>,
    /// By the route before and the variables set.
    known: HashMap<(u32, Option<u32>), u32>,
    same: HashMap<Route, u32>,
}

impl NextRoutes {
    fn index(
        &mut self,
        before: &[Route],
        rows: &RowRoutes,
        old: u32,
        variables: Option<u32>,
    ) -> u32 {
        if let Some(known) = self.known.get(&(old, variables)) {
            return *known;
        }
        let route = before.get(old as usize).cloned().unwrap_or_default();
        let set = variables.and_then(|v| rows.routes.get(v as usize)).map(Vec::as_slice);
        let pairs = set.unwrap_or_default().iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let route = route.with(pairs);
        let fresh = u32::try_from(self.routes.len()).unwrap_or(u32::MAX);
        let index = *self.same.entry(route.clone()).or_insert(fresh);
        if index == fresh {
            self.routes.push(route);
        }
        self.known.insert((old, variables), index);
        index
    }
}
