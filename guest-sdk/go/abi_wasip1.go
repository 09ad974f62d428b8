// The component's functions by the canonical ABI (wit/transform.wit, world `transformer`). Offsets are those of the
// records' layout. Nothing else of this package knows about memory.

//go:build wasip1

package guest

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

var (
	exportedInfo   Info
	exportedPlugin func() Transform
	instance       *Instance
	// received is what the host put into memory for the arguments of this call.
	received [][]uint64
	// answered is what the answer of the last call points to.
	answered [][]byte
)

// Export makes a plugin the component's; call it in an init function. factory makes a plugin that is not configured.
func Export(info Info, factory func() Transform) { exportedInfo, exportedPlugin = info, factory }

//go:wasmimport sluice:transform/logging@0.1.0 log
func wasmLog(level uint32, message unsafe.Pointer, bytes uint32)

func hostLog(level LogLevel, message string) {
	wasmLog(uint32(level), unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
}

//go:wasmexport cabi_realloc
func wasmRealloc(old unsafe.Pointer, oldBytes, _, bytes uint32) unsafe.Pointer {
	words := make([]uint64, bytes/8+1)
	received = append(received, words)
	to := unsafe.Pointer(&words[0])
	if oldBytes > 0 {
		copy(unsafe.Slice((*byte)(to), bytes), unsafe.Slice((*byte)(old), min(oldBytes, bytes)))
	}
	return to
}

// said logs a panic's cause, which the trap that follows does not say.
func said() {
	if cause := recover(); cause != nil {
		Log(LogError, fmt.Sprint("panic: ", cause))
		panic(cause)
	}
}

//go:wasmexport sluice:transform/transform@0.1.0#describe
func wasmDescribe() unsafe.Pointer {
	defer said()
	begin()
	out := record(36)
	putText(out, 0, exportedInfo.Name)
	putText(out, 8, exportedInfo.Version)
	if exportedInfo.ConfigSchema != "" {
		out[16] = 1
		putText(out, 20, exportedInfo.ConfigSchema)
	}
	putPairs(out, 28, nil)
	return at(out)
}

//go:wasmexport sluice:transform/transform@0.1.0#configure
func wasmConfigure(config unsafe.Pointer, configBytes uint32, files unsafe.Pointer, fileCount uint32, memoryBytes uint64, rowsMax uint32, outputBytesMax uint64) unsafe.Pointer {
	defer said()
	begin()
	var attachments []Attachment
	for _, raw := range records(files, fileCount, 16) {
		attachments = append(attachments, Attachment{text(raw, 0), append([]byte(nil), list(raw, 8)...)})
	}
	text := append([]byte(nil), unsafe.Slice((*byte)(config), configBytes)...)
	received = nil
	made, err := NewInstance(exportedPlugin(), text, attachments, Limits{memoryBytes, rowsMax, outputBytesMax})
	instance = made
	out := record(12)
	if err != nil {
		problems := configErrorOf(err).Problems
		rows := putRecords(out, 4, len(problems), 16)
		for i, problem := range problems {
			putText(rows[i], 0, problem.Path)
			putText(rows[i], 8, problem.Message)
		}
		out[0] = 1
	}
	return at(out)
}

//go:wasmexport sluice:transform/transform@0.1.0#plan
func wasmPlan(arguments unsafe.Pointer) unsafe.Pointer {
	defer said()
	begin()
	raw := unsafe.Slice((*byte)(arguments), 76)
	id, table := number(raw, 0), readTable(raw[4:])
	received = nil
	decision, err := instance.Plan(id, table)
	out := record(60)
	if err != nil {
		putFailure(out, failureOf(err))
		return at(out)
	}
	out[4] = byte(decision.kind)
	if decision.kind == decisionApply {
		putPlan(out[8:], decision.plan)
	}
	return at(out)
}

//go:wasmexport sluice:transform/transform@0.1.0#process
func wasmProcess(id, rows uint32, columns unsafe.Pointer, columnCount uint32) unsafe.Pointer {
	defer said()
	begin()
	buffers := make([]ColumnBuffers, 0, columnCount)
	for _, raw := range records(columns, columnCount, 28) {
		column := ColumnBuffers{Offsets: list(raw, 12), Data: list(raw, 20)}
		if raw[0] != 0 {
			column.Validity = list(raw, 4)
		}
		buffers = append(buffers, column)
	}
	edit, err := instance.Process(id, int(rows), buffers)
	out := record(52)
	if err != nil {
		putFailure(out, failureOf(err))
	} else {
		putEdit(out[4:], edit)
	}
	received = nil
	return at(out)
}

//go:wasmexport sluice:transform/transform@0.1.0#release
func wasmRelease(id uint32) { instance.Release(id) }

// begin forgets the last answer: the host has read it.
func begin() { answered = answered[:0] }

func record(bytes int) []byte {
	words := make([]uint64, bytes/8+1)
	out := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), bytes)
	answered = append(answered, out)
	return out
}

func at(out []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(out)) }

func number(raw []byte, offset int) uint32 { return binary.LittleEndian.Uint32(raw[offset:]) }

func list(raw []byte, offset int) []byte {
	return unsafe.Slice((*byte)(pointer(number(raw, offset))), number(raw, offset+4))
}

func pointer(address uint32) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), address) }

func text(raw []byte, offset int) string { return string(list(raw, offset)) }

func records(start unsafe.Pointer, count uint32, bytes int) [][]byte {
	all := make([][]byte, 0, count)
	for i := 0; i < int(count); i++ {
		all = append(all, unsafe.Slice((*byte)(unsafe.Add(start, i*bytes)), bytes))
	}
	return all
}

func recordsAt(raw []byte, offset, bytes int) [][]byte {
	return records(pointer(number(raw, offset)), number(raw, offset+4), bytes)
}

func pairs(raw []byte, offset int) []Pair {
	var all []Pair
	for _, raw := range recordsAt(raw, offset, 16) {
		all = append(all, Pair{text(raw, 0), text(raw, 8)})
	}
	return all
}

func numbers(raw []byte, offset int) []uint32 {
	all := []uint32{}
	for _, raw := range recordsAt(raw, offset, 4) {
		all = append(all, number(raw, 0))
	}
	return all
}

func readTable(raw []byte) *TableSchema {
	table := &TableSchema{
		Database: text(raw, 0), Table: text(raw, 8),
		IDColumns: numbers(raw, 48), Route: pairs(raw, 56), Properties: pairs(raw, 64),
	}
	for _, raw := range recordsAt(raw, 16, 32) {
		field := Field{
			Name: text(raw, 0), Type: DataType{Kind: Kind(raw[8])}, Nullable: raw[11] != 0, Properties: pairs(raw, 24),
		}
		if field.Type.Kind == KindDecimal {
			field.Type.Precision, field.Type.Scale = raw[9], raw[10]
		}
		if raw[12] != 0 {
			field.SourceType = text(raw, 16)
		}
		table.Fields = append(table.Fields, field)
	}
	if raw[24] != 0 {
		table.PrimaryKey = numbers(raw, 28)
	}
	if raw[36] != 0 {
		table.UniqueKeys = []UniqueKey{}
		for _, raw := range recordsAt(raw, 40, 16) {
			table.UniqueKeys = append(table.UniqueKeys, UniqueKey{text(raw, 0), numbers(raw, 8)})
		}
	}
	return table
}

func putNumber(out []byte, offset int, value uint32) {
	binary.LittleEndian.PutUint32(out[offset:], value)
}

func putList(out []byte, offset int, bytes []byte, count int) {
	answered = append(answered, bytes)
	putNumber(out, offset, uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes)))))
	putNumber(out, offset+4, uint32(count))
}

func putBytes(out []byte, offset int, bytes []byte) { putList(out, offset, bytes, len(bytes)) }

func putText(out []byte, offset int, value string) {
	putBytes(out, offset, unsafe.Slice(unsafe.StringData(value), len(value)))
}

func putRecords(out []byte, offset, count, bytes int) [][]byte {
	if count == 0 {
		// An empty list may lie anywhere that is aligned.
		putNumber(out, offset, 8)
		putNumber(out, offset+4, 0)
		return nil
	}
	all := record(count * bytes)
	putList(out, offset, all, count)
	parts := make([][]byte, 0, count)
	for i := 0; i < count; i++ {
		parts = append(parts, all[i*bytes:(i+1)*bytes])
	}
	return parts
}

func putPairs(out []byte, offset int, all []Pair) {
	for i, raw := range putRecords(out, offset, len(all), 16) {
		putText(raw, 0, all[i].Key)
		putText(raw, 8, all[i].Value)
	}
}

func putNumbers(out []byte, offset int, all []uint32) {
	for i, raw := range putRecords(out, offset, len(all), 4) {
		putNumber(raw, 0, all[i])
	}
}

func putFailure(out []byte, failure *Failure) {
	out[0] = 1
	putText(out, 4, failure.Code)
	putText(out, 12, failure.Detail)
}

func putType(out []byte, offset int, dataType DataType) {
	out[offset], out[offset+1], out[offset+2] = byte(dataType.Kind), dataType.Precision, dataType.Scale
}

func putBool(out []byte, offset int, value bool) {
	if value {
		out[offset] = 1
	}
}

func putPlan(out []byte, plan *Plan) {
	if plan.hasOutput {
		out[0] = 1
		for i, raw := range putRecords(out, 4, len(plan.output), 28) {
			putText(raw, 0, plan.output[i].name)
			putSource(raw[8:], plan.output[i].source)
		}
	}
	if plan.hasIDs {
		out[12] = 1
		putNumbers(out, 16, plan.idColumns)
	}
	putPairs(out, 24, plan.route)
	if plan.hasProcess {
		out[32] = 1
		putNumbers(out, 36, plan.reads)
	}
	putPairs(out, 44, plan.properties)
}

func putSource(out []byte, source columnSource) {
	out[0] = byte(source.kind)
	switch source.kind {
	case sourceInput:
		putNumber(out, 4, source.at)
	case sourceCast:
		putNumber(out, 4, source.at)
		putType(out, 8, source.dataType)
	case sourceComputed:
		putNumber(out, 4, source.at)
		putType(out, 8, source.dataType)
		putBool(out, 11, source.nullable)
	case sourceConstant:
		putType(out, 4, source.dataType)
		if source.text != nil {
			out[8] = 1
			putText(out, 12, *source.text)
		}
	case sourceMetadata:
		putText(out, 4, *source.text)
	}
}

func putEdit(out []byte, edit *Edit) {
	if edit.keep != nil {
		out[0] = 1
		putBytes(out, 4, edit.keep.bytes)
	}
	for i, raw := range putRecords(out, 12, len(edit.computed), 28) {
		buffers := edit.computed[i].buffers
		if buffers.Validity != nil {
			raw[0] = 1
			putBytes(raw, 4, buffers.Validity)
		}
		putBytes(raw, 12, buffers.Offsets)
		putBytes(raw, 20, buffers.Data)
	}
	if edit.routes != nil {
		out[20] = 1
		for i, raw := range putRecords(out, 24, len(edit.routes.routes), 8) {
			putPairs(raw, 0, edit.routes.routes[i])
		}
		putNumbers(out, 32, edit.routes.rows)
		// `rows` is a list of bytes.
		putNumber(out, 36, uint32(len(edit.routes.rows)*4))
	}
	rejected := edit.rejectedRows()
	for i, raw := range putRecords(out, 40, len(rejected), 20) {
		failure := edit.rejected[rejected[i]]
		putNumber(raw, 0, uint32(rejected[i]))
		putText(raw, 4, failure.Code)
		putText(raw, 12, failure.Detail)
	}
}
