//! As a zTensor file: parts first, and the directory behind them.

use super::Whole;
use crate::container::{CellType, hold_for_directory};
use crate::ztensor::{WholeWriter, ZtensorGeneration};
use crate::{Output, RowsError};

impl Whole<'_> {
    pub(super) fn ztensor(
        &self,
        generation: ZtensorGeneration,
        compress: bool,
        output: Box<dyn Output>,
        poll: &mut dyn FnMut(),
    ) -> Result<(), RowsError> {
        let _hold = hold_for_directory(self.texts())?;
        let mut writer = WholeWriter::begin(output, generation, compress)?;
        for index in 0..self.count() {
            let cells = self.cells(index, false, poll)?;
            let element = match cells.kind {
                CellType::Number(element) => Some(element),
                CellType::Bool => None,
            };
            let (shape, name) = (cells.shape.clone(), self.name(index));
            let mut tensor = writer.tensor(name, element, &shape)?;
            self.copy(cells, poll, |some| tensor.write(some))?;
            tensor.finish()?;
        }
        writer.finish(&self.attributes)
    }
}
