// Included once for each seat: the callers around it, in the shape of `core/src/storage/{database,transact}.rs`.

use crate::parts::Error;
use seat::{Entered, Job, Seat, Turn};
use shuttle::sync::{Arc, Mutex};

/// Writers that meet at one seat.
pub struct World {
    seat: Seat,
    /// What was committed, as a reader would see it.
    disk: Mutex<Vec<usize>>,
}

impl World {
    /// Four writers of two writes each, one who wants the seat itself, and one who closes at the end.
    /// Panics, or comes to a standstill that the scheduler reports, where the hand-off is wrong.
    pub fn run() {
        let world = Arc::new(Self { seat: Seat::new(writer::Writer::default()), disk: Mutex::new(Vec::new()) });
        let mut threads = Vec::new();
        for who in 0..4 {
            let world = Arc::clone(&world);
            threads.push(shuttle::thread::spawn(move || {
                for n in 0..2 {
                    let id = who * 2 + n;
                    let done = if who == 3 { world.write_alone(id) } else { world.write(id) };
                    done.expect("the seat is open");
                    let times = world.disk.lock().unwrap().iter().filter(|there| **there == id).count();
                    assert_eq!(times, 1, "what was acknowledged is there, once");
                }
            }));
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(world.seat.waiting(), 0);
        let closing = Arc::clone(&world);
        let closer = shuttle::thread::spawn(move || closing.seat.close().expect("closed once").committed.len());
        // One who comes while it closes either gets through or is told so; nobody waits for ever.
        let late = world.write(8);
        let committed = closer.join().unwrap();
        assert_eq!(committed, if late.is_ok() { 9 } else { 8 });
        assert!(late.is_ok() || late == Err(Error::Closed));
        assert_eq!(world.write(9), Err(Error::Closed));
    }

    /// Writers beside one who suspends and resumes. Whoever is turned away has written nothing, whoever is not has
    /// written once, and while the writer is out nothing is written at all.
    pub fn run_suspended() {
        let world = Arc::new(Self { seat: Seat::new(writer::Writer::default()), disk: Mutex::new(Vec::new()) });
        let mut threads = Vec::new();
        for who in 0..3 {
            let world = Arc::clone(&world);
            threads.push(shuttle::thread::spawn(move || {
                for n in 0..2 {
                    let id = who * 2 + n;
                    let done = if who == 2 { world.write_alone(id) } else { world.write(id) };
                    let times = world.disk.lock().unwrap().iter().filter(|there| **there == id).count();
                    match done {
                        Ok(()) => assert_eq!(times, 1, "what was acknowledged is there, once"),
                        Err(Error::Suspended) => assert_eq!(times, 0, "what was turned away is not there"),
                        Err(other) => panic!("{other:?}"),
                    }
                }
            }));
        }
        for again in [true, false] {
            assert_eq!(world.seat.suspended(), None);
            world.seat.refuse().unwrap();
            let writer = world.seat.clear(false).expect("whoever sits in it leaves").expect("it is not out yet");
            assert!(writer.open.is_empty(), "it leaves between transactions");
            assert_eq!(world.seat.suspended(), Some(false));
            assert_eq!(world.seat.waiting(), 0, "nobody waits for a seat that admits nobody");
            let before = world.disk.lock().unwrap().len();
            shuttle::thread::yield_now();
            assert_eq!(world.write(9), Err(Error::Suspended));
            assert_eq!(world.disk.lock().unwrap().len(), before, "nothing is written while the writer is out");
            // Suspending twice finds it out already.
            if again {
                world.seat.refuse().unwrap();
                assert!(world.seat.clear(true).unwrap().is_none());
            }
            world.seat.admit_again(Some(*writer));
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(world.write(8), Ok(()), "it admits again");
    }

    /// As `Database::write`.
    fn write(&self, id: usize) -> Result<(), Error> {
        let job = move |tx: &mut tx::Tx<'_>| {
            tx.open.push(id);
            Ok(())
        };
        if let Some(mut turn) = self.seat.try_enter()? {
            return self.turn(&mut turn, Box::new(job));
        }
        match self.seat.enter(Some(Box::new(job)))? {
            Entered::Done(done) => done,
            Entered::Turn(mut turn, job) => self.turn(&mut turn, job.expect("its closure is still there")),
        }
    }

    /// As `Database::system`: the seat itself, nobody runs it for us.
    fn write_alone(&self, id: usize) -> Result<(), Error> {
        match self.seat.enter(None)? {
            Entered::Turn(mut turn, _) => self.turn(&mut turn, Box::new(move |tx| {
                tx.open.push(id);
                Ok(())
            })),
            Entered::Done(done) => Err(done.expect_err("nobody runs it for us")),
        }
    }

    /// As `transact::run`: the first closure, those who wait, one commit.
    fn turn(&self, turn: &mut Turn<'_>, first: Job) -> Result<(), Error> {
        assert!(self.seat.enter(None).is_err(), "a write inside a write is refused");
        let writer = turn.writer()?;
        assert!(writer.open.is_empty(), "two sit in the seat");
        first(&mut tx::Tx { open: &mut writer.open })?;
        shuttle::thread::yield_now();
        let mut joined = Vec::new();
        while let Some((place, job)) = turn.next_job() {
            job(&mut tx::Tx { open: &mut turn.writer()?.open })?;
            joined.push(place);
        }
        let writer = turn.writer()?;
        self.disk.lock().unwrap().extend(&writer.open);
        let open = std::mem::take(&mut writer.open);
        writer.committed.extend(open);
        for place in joined {
            place.finish(Ok(()));
        }
        Ok(())
    }
}
