//! The calls of one worker by their number on the wire. A number is a place and a generation, so
//! that a late frame of an ended call meets nobody instead of the next call in its place.

/// Bits of a call's number that say its place; the rest is the generation.
const PLACE_BITS: u32 = 20;
const PLACE_MASK: u32 = (1 << PLACE_BITS) - 1;

/// Things by number. 0 is never a number.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    thing: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a thing and names it.
    pub fn insert(&mut self, thing: T) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, thing: None });
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.thing = Some(thing);
        (place.generation << PLACE_BITS) | ((index + 1) & PLACE_MASK)
    }

    /// The thing of a number.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.place(number)?.thing.as_mut()
    }

    /// Takes a thing out; its number becomes void.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let place = self.place(number)?;
        let thing = place.thing.take()?;
        place.generation = (place.generation + 1) & (u32::MAX >> PLACE_BITS);
        self.free.push((number & PLACE_MASK) - 1);
        Some(thing)
    }

    /// All things with their numbers.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.places.iter_mut().enumerate().filter_map(|(index, place)| {
            let number = (place.generation << PLACE_BITS) | (index as u32 + 1);
            place.thing.as_mut().map(|thing| (number, thing))
        })
    }

    /// Empties it.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.free.clear();
        std::mem::take(&mut self.places).into_iter().filter_map(|place| place.thing)
    }

    fn place(&mut self, number: u32) -> Option<&mut Place<T>> {
        let index = (number & PLACE_MASK).checked_sub(1)?;
        let place = self.places.get_mut(index as usize)?;
        (place.generation == number >> PLACE_BITS).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_void_once_its_thing_is_gone() {
        let mut slab = Slab::default();
        let first = slab.insert("first");
        assert_ne!(first, 0);
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_ne!(first, second, "the place is the same, the number is not");
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.remove(second), Some("second"));
        assert!(slab.is_empty());
        assert_eq!(slab.remove(0), None);
    }

    #[test]
    fn generations_wrap_without_reaching_the_place() {
        let mut slab = Slab::default();
        for round in 0..10_000 {
            let number = slab.insert(round);
            assert_eq!(slab.remove(number), Some(round));
        }
        assert_eq!(slab.iter_mut().count(), 0);
    }
}
